"""Whether an order can be made at an issuer at all: with an account that is there, or that may be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.changes import Hold, Reason

if TYPE_CHECKING:
    from reconciler.model.desired import AcmeIssuer
    from reconciler.model.observed import World


def account_hold(issuer: AcmeIssuer, site: str, world: World) -> Hold | None:
    """Hold a site whose issuer has no account, if none may be made."""
    record = world.accounts.get(issuer.name)
    if record is not None and record.url is not None:
        return None
    orphan = world.orphaned_accounts.get(issuer.name)
    if orphan is not None:
        return Hold(
            Reason.ACCOUNT_MISSING,
            f"the key of account {orphan} at {issuer.name} is gone; a new account is never made silently",
            site=site,
            ends_when="the account's key is put back into the store, or the Issuer names another `account`",
            failed=True,
        )
    if not issuer.agree_to_terms:
        return Hold(
            Reason.TERMS_NOT_AGREED,
            f"no account at {issuer.name} ({issuer.directory}) is made before its terms of service are agreed to",
            site=site,
            ends_when="`agreeToTerms: true` and `email` stand in the Server's or the Issuer's spec",
            failed=True,
        )
    return None
