"""Which issuer a site's next certificate comes from: of those that would not lose trust, the one whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.plan.issuing.failover import choose
from reconciler.plan.issuing.imports import candidates, change_of

if TYPE_CHECKING:
    from reconciler.model.desired import IssuerSpec
    from reconciler.plan.issuing.case import Case

ALLOW_TRUST_LOSS: Final = "certwright/allow-trust-loss"


def pick_issuer(case: Case) -> IssuerSpec:
    """Choose among those issuers that would not lose trust; among all if that leaves none."""
    issuers = candidates(case)
    if change_of(case) is not None:
        return issuers[0]
    keep = tuple(issuer for issuer in issuers if not loses_trust(case, issuer)) or issuers
    meta = case.revision.meta if case.revision else None
    return choose(keep, case.failures, case.now, case.desired.failover, meta)


def loses_trust(case: Case, issuer: IssuerSpec) -> bool:
    """Tell whether fewer clients would trust its certificate than the one in use, and no person allowed that."""
    if case.revision is None or case.desired.annotations.get(ALLOW_TRUST_LOSS) == "true":
        return False
    return issuer.trust.rank < case.revision.meta.trust.rank and case.now < case.revision.facts.not_after
