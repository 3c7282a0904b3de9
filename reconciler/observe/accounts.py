"""Accounts of the declared ACME issuers, and those that the store's revisions remember although their key is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.desired import AcmeIssuer
from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.desired import IssuerSpec
    from reconciler.model.observed import AccountRecord
    from reconciler.model.ports import Reader


def accounts_of(
    reader: Reader, issuers: Iterable[IssuerSpec]
) -> tuple[dict[str, AccountRecord | None], dict[str, str]]:
    """Give the account of each issuer by the issuer's name (None: there is none yet), and the orphaned URLs likewise.

    All live revisions are read for orphans, but only while an account is missing.
    """
    known = reader.accounts()
    acme = [issuer for issuer in issuers if isinstance(issuer, AcmeIssuer)]
    found = {issuer.name: known.get((issuer.directory, issuer.account)) for issuer in acme}
    missing = [issuer for issuer in acme if found[issuer.name] is None]
    return found, _orphans(reader, missing, known.values()) if missing else {}


def _orphans(reader: Reader, missing: Iterable[AcmeIssuer], known: Iterable[AccountRecord]) -> dict[str, str]:
    """Find the URL of a lost account by directory and name; the most recent revision that names one has the last word.

    A revision that does not say what its account was called may have been made by any of the directory's.
    """
    kept = {record.url for record in known}
    metas = [live.meta for live in reader.live(reader.sites()).values() if isinstance(live, Revision)]
    urls = {
        (meta.directory, meta.account_name): meta.account
        for meta in sorted(metas, key=lambda meta: meta.at)
        if meta.directory is not None and meta.account is not None and meta.account not in kept
    }
    wanted = ((issuer.name, issuer.directory, issuer.account) for issuer in missing)
    found = ((name, urls.get((where, account)) or urls.get((where, None))) for name, where, account in wanted)
    return {name: url for name, url in found if url is not None}
