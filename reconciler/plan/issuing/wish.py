"""What was decided about one site; the steps that it takes are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.observed import NoRevision
from reconciler.plan.issuing.names import RETRY_AT

if TYPE_CHECKING:
    from reconciler.model.changes import Hold
    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.observed import Live, ObservedSite, Revision
    from reconciler.plan.issuing.policies import Finding


@dataclass(frozen=True, slots=True)
class Wish:
    """The decision about one site. `live` is what is in use once `activate` was done; `former`: the name it had before.

    `issue` is set if a certificate is wanted; `holds` say why it is not asked for now; `issues` tells whether it is.
    `notes` are holds that do not hold the order back: names that it leaves out. `stops`: it is left to a person.
    `counted`: the guard against mass reissue counts it.
    """

    desired: DesiredSite
    observed: ObservedSite
    live: Live
    activate: Revision | None = None
    activate_for: Finding | None = None
    former: str | None = None
    issue: Finding | None = None
    issuer: IssuerSpec | None = None
    holds: tuple[Hold, ...] = ()
    notes: tuple[Hold, ...] = ()
    stops: bool = False
    counted: bool = False
    rank: int = 2

    @property
    def issues(self) -> bool:
        """Tell whether a certificate is ordered in this plan."""
        return self.issue is not None and not self.holds

    @property
    def obtains(self) -> bool:
        """Tell whether this plan is to bring a certificate."""
        return self.issues and not self.stops

    @property
    def is_new(self) -> bool:
        """Tell whether nothing at all is in use."""
        return isinstance(self.live, NoRevision)


def is_released(desired: DesiredSite, observed: ObservedSite) -> bool:
    """Tell whether the annotation asks to try again now and has not been acted on."""
    wanted = desired.annotations.get(RETRY_AT)
    return wanted is not None and wanted != observed.memory.handled_retry_at
