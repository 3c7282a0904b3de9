"""Which issuer of a site's list is asked: the preferred one, and the next after it has failed for long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model.desired import Failover, IssuerSpec
    from reconciler.model.observed import Failures, RevisionMeta


def is_same(issuer: IssuerSpec, meta: RevisionMeta) -> bool:
    """Tell whether a revision came from this issuer: by its name, or from the same directory under another name."""
    if issuer.name == meta.issuer:
        return True
    return issuer.type == "acme" and meta.directory is not None and issuer.directory == meta.directory


def present(issuers: Sequence[IssuerSpec], meta: RevisionMeta) -> IssuerSpec | None:
    """Give the issuer of the list that made a revision, None if it is not in the list."""
    return next((issuer for issuer in issuers if is_same(issuer, meta)), None)


def choose(
    issuers: Sequence[IssuerSpec],
    failures: Failures | None,
    now: datetime,
    failover: Failover,
    meta: RevisionMeta | None = None,
) -> IssuerSpec:
    """Give the issuer to ask. Each `failover.after` since the first failure in a row moves one on, round the list.

    It starts with the first, or with `back: never` with the one that made the present certificate (`meta`).
    """
    start = 0
    now_used = present(issuers, meta) if meta is not None and failover.back == "never" else None
    if now_used is not None:
        start = list(issuers).index(now_used)
    return issuers[(start + _steps(failures, now, failover.after)) % len(issuers)]


def _steps(failures: Failures | None, now: datetime, after: timedelta) -> int:
    if failures is None or failures.since is None or not failures.count:
        return 0
    if after <= timedelta(0):
        return failures.count
    return max(0, (now - failures.since) // after)
