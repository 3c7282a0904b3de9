"""Address records that are missing or no longer wanted, by what was written down of those that were published.

Whether one still stands is a fact with an age: after an hour it is asked again (`refresh`), and what is gone is
published anew in the next pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.addresses import publishes_own, wanted_addresses
from reconciler.model.changes import Change, Hold, Reason, Verb
from reconciler.model.text import some
from reconciler.plan.backoff import hold_for
from reconciler.plan.digests import digest_of
from reconciler.plan.issuing.moved import publishing_hold
from reconciler.plan.issuing.wish import is_released

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import ObservedSite, Undo, World
    from reconciler.model.ports import Declared

FAILURES: Final = "publish"
LOOK_AFTER: Final = timedelta(hours=1)
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Publishing:
    """The changes, `publish` by site, and what is held. `due` is when a site's records are to be looked at again."""

    publish: Mapping[str, Change] = field(default_factory=dict)
    unpublish: tuple[Change, ...] = ()
    refresh: tuple[Change, ...] = ()
    due: Mapping[str, datetime] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()


def forgotten(declared: Declared, world: World) -> list[str]:
    """Give the sites of which nothing is left but address records."""
    known = {*declared.names, *(one.name for one in world.abandoned)}
    return sorted(_written(world).keys() - known) if declared.complete else []


def plan_publishing(
    declared: Declared, world: World, names: Sequence[str], gone: Sequence[str], now: datetime
) -> Publishing:
    """Compare what the sites `names` want with what was published; sites that are `gone` want nothing."""
    written = _written(world)
    publish: dict[str, Change] = {}
    unpublish, refresh, holds = [], [], []
    due: dict[str, datetime] = {}
    for name in names:
        site, seen = declared.sites[name], world.sites.get(name)
        if site.suspend or (seen is not None and seen.damage) or (site.address_records is None and name not in written):
            continue
        hold = publishing_hold(name, world) or (_hold(site, seen, now) if seen is not None else None)
        wanted, things = set(wanted_addresses(site, world.addresses)), written.get(name, [])
        missing = wanted - {(one.name, one.value) for one in things if one.identity is not None}
        # an address that cannot be seen for a moment takes nothing away
        blind = publishes_own(site) and not world.addresses
        surplus = {(one.name, one.value) for one in things} - wanted if not blind else set()
        if hold is not None and (missing or surplus):
            holds.append(hold)
            continue
        if missing:
            publish[name] = _publish(site, missing)
        if surplus:
            unpublish.append(_unpublish(name, surplus, Reason.NO_LONGER_WANTED))
        kept = [one for one in things if (one.name, one.value) in wanted]
        if kept and hold is None and not missing:
            at = min(look_at(one, now) for one in kept)
            due[name] = at
            refresh += [_refresh(site, kept)] if at <= now else []
    for name in gone:
        moved = publishing_hold(name, world) if name in written else None
        if moved is not None:
            holds.append(moved)
        elif name in written:
            pairs = {(thing.name, thing.value) for thing in written[name]}
            unpublish.append(_unpublish(name, pairs, Reason.NOT_DECLARED))
    return Publishing(publish, tuple(unpublish), tuple(refresh), due, tuple(holds))


def look_at(thing: Undo, now: datetime) -> datetime:
    """Give when a record is to be looked for again; a time further off than a look can be is a clock that was wrong."""
    at = thing.looked + LOOK_AFTER if thing.looked is not None else now
    return at if at <= now + LOOK_AFTER else now


def _written(world: World) -> dict[str, list[Undo]]:
    found: dict[str, list[Undo]] = {}
    for thing in world.undo:
        if thing.kind == "address":
            found.setdefault(thing.site, []).append(thing)
    return found


def _hold(site: DesiredSite, seen: ObservedSite, now: datetime) -> Hold | None:
    failures = seen.memory.failures.get(FAILURES)
    return hold_for(failures, site.digest, now, site=site.name, released=is_released(site, seen))


def _publish(site: DesiredSite, pairs: set[Pair]) -> Change:
    return Change(
        verb=Verb.PUBLISH,
        subject=f"site/{site.name}",
        reason=Reason.NOT_PUBLISHED,
        message=f"address records: {_shown(pairs)}",
        desired_digest=site.digest,
        decided_on=digest_of(sorted(map(" ".join, pairs))),
        site=site.name,
        rank=1,
    )


def _refresh(site: DesiredSite, things: Sequence[Undo]) -> Change:
    return Change(
        verb=Verb.REFRESH,
        subject=f"site/{site.name}",
        reason=Reason.LOOK_AGAIN,
        message="whether its address records still stand",
        desired_digest=site.digest,
        decided_on=digest_of(sorted(f"{one.id} {one.looked}" for one in things)),
        site=site.name,
        rank=3,
    )


def _unpublish(site: str, pairs: set[Pair], reason: Reason) -> Change:
    return Change(
        verb=Verb.UNPUBLISH,
        subject=f"site/{site}",
        reason=reason,
        message=f"address records that we published: {_shown(pairs)}",
        decided_on=digest_of(sorted(map(" ".join, pairs))),
        site=site,
    )


def _shown(pairs: set[Pair]) -> str:
    return some(tuple(f"{name} {'AAAA' if ':' in address else 'A'} {address}" for name, address in sorted(pairs)))
