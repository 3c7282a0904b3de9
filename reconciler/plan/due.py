"""When each site must be looked at again, if nothing happens before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.addresses import publishes_own
from reconciler.plan.issuing.case import Case
from reconciler.plan.issuing.names import LATE_SHARE
from reconciler.plan.issuing.renewal import choose_renewal, lifetime
from reconciler.plan.issuing.site import gives_up_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from reconciler.plan.placing.steps import Steps

# the kernel tells nobody of a new address
ADDRESSES_AGAIN: Final = timedelta(hours=1)


def due_of(steps: Iterable[Steps], now: datetime) -> Mapping[str, datetime]:
    """Give the next instant after `now` at which a decision about each site may change.

    A site that only an edit can change has none.
    """
    found = ((one.wish.desired.name, [at for at in _instants(one, now) if at > now]) for one in steps)
    return {name: min(instants) for name, instants in found if instants}


def _instants(one: Steps, now: datetime) -> Iterator[datetime]:
    wish = one.wish
    case = Case(wish.desired, wish.live, wish.observed.memory, now, wish.observed.brought)
    yield from (hold.until for hold in one.holds if hold.until is not None)
    yield from one.due
    brought = wish.observed.brought
    if brought is not None and brought.facts is not None:
        yield from (brought.facts.not_before, brought.facts.not_after)
    if wish.desired.renewal.reissue_issued_before is not None:
        yield wish.desired.renewal.reissue_issued_before
    if case.revision is not None:
        # the begin only where the clock is before it, and the site not Ready until then
        yield from (case.revision.facts.not_before, case.revision.facts.not_after)
        if not wish.desired.suspend:
            yield choose_renewal(
                wish.desired.name, case.revision, wish.desired.renewal, wish.observed.memory.renewal
            ).at
        if wish.desired.on_name_failure == "dropLate" and wish.observed.memory.names:
            yield case.revision.facts.not_after - lifetime(case.revision) / LATE_SHARE
    if publishes_own(wish.desired) and not wish.desired.suspend:
        yield now + ADDRESSES_AGAIN
    ends = gives_up_at(case)
    if ends is not None:
        yield ends
