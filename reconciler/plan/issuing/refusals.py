"""Revisions that a server refused once they were live: which, by which target, and until when they are held back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason
from reconciler.model.observed import Revision
from reconciler.plan.backoff import waits_until
from reconciler.plan.issuing.names import LATE_SHARE
from reconciler.plan.issuing.renewal import lifetime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import ObservedSite


_ENDED_AGAIN: Final = timedelta(days=1)


def refused_hold(stored: Revision, desired: DesiredSite, observed: ObservedSite, now: datetime) -> Hold | None:
    """Hold back a revision that a server refused, until that target is tried again: a new order is no better."""
    for target, refused in refusals(desired, observed):
        ended = _ended_hold(stored, desired, observed, target, now) if refused.id == stored.id else None
        if ended is not None:
            return ended
        failures = observed.memory.failures.get(f"target/{target}")
        until = waits_until(failures, desired.digest, now)
        if refused.id == stored.id and until is not None:
            words = failures.last.detail if failures is not None and failures.last else f"{target} refused {stored.id}"
            ends = f"{stored.id} is tried again, sooner by `certwright retry {desired.name}`; the Site's spec changes; "
            return Hold(
                Reason.REJECTED_BY_SERVER, words, site=desired.name, target=target, until=until, failed=True,
                ends_when=f"{ends}or `certwright renew {desired.name}` asks for another",
            )  # fmt: skip
    return None


def _ended_hold(
    stored: Revision, desired: DesiredSite, observed: ObservedSite, target: str, now: datetime
) -> Hold | None:
    """Hold back what a server ended of until a person lets it be tried, or the one in use will not last long."""
    ended = observed.memory.failures.get(f"ended/{target}")
    if ended is None or ended.last is None or ended.digest not in ("", desired.digest):
        return None
    until, live = ended.last.at + _ENDED_AGAIN, observed.live
    if isinstance(live, Revision):
        until = max(until, live.facts.not_after - lifetime(live) / LATE_SHARE)
    if now >= until:
        return None
    ends = f"`certwright retry {desired.name}` tries {stored.id} again; the Site's spec changes; "
    return Hold(
        Reason.SERVER_ENDED, ended.last.detail, site=desired.name, target=target, until=until, failed=True,
        ends_when=f"{ends}or `certwright renew {desired.name}` asks for another",
    )  # fmt: skip


def refusals(desired: DesiredSite, observed: ObservedSite) -> Iterator[tuple[str, Revision]]:
    """Give each target of the site that refused a stored revision, with that revision."""
    used = {use.spec.name for use in desired.targets}
    for target, name in sorted(observed.memory.rejected.items()):
        found = next((one for one in observed.others if one.id == name), None)
        if found is not None and target in used:
            yield target, found
