"""A site that was renamed: its very names, issuer and key were another's that is declared no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason
from reconciler.model.observed import NoRevision
from reconciler.plan.issuing.policies import Finding, first_finding

if TYPE_CHECKING:
    from reconciler.model.observed import Inherited, ObservedSite
    from reconciler.plan.issuing.case import Case

_OF_TIME: Final = frozenset({Reason.RENEWAL_DUE, Reason.REISSUE_WANTED, Reason.REQUESTED_BY_USER})


def renaming(case: Case, observed: ObservedSite) -> Inherited | None:
    """Give what the site takes over, if it is what would be issued; None also if it has expired."""
    found = observed.inherits
    if found is None or not isinstance(observed.live, NoRevision) or found.revision.facts.not_after <= case.now:
        return None
    differs = first_finding(replace(case, live=found.revision), without=_OF_TIME)
    return found if differs is None else None


def renamed_finding(found: Inherited) -> Finding:
    """Say why it goes live."""
    return Finding(Reason.RENAMED, f"the site was `{found.site}`, with the same names, issuer and key")
