"""What a plan never does unasked: remove much, reissue much, or leave something lying in the world."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Change, Hold, PlannedFile, Reason, Verb
from reconciler.model.observed import FileChange
from reconciler.model.text import some
from reconciler.plan.digests import digest_of
from reconciler.plan.issuing.site import damage_hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from reconciler.model.observed import Abandoned, Undo, World
    from reconciler.model.ports import Declared, Limits, Scope
    from reconciler.plan.issuing.wish import Wish

PERCENT: Final = 30
REISSUES_FROM: Final = 10


def removals(
    declared: Declared, world: World, limits: Limits, scope: Scope
) -> tuple[tuple[Abandoned, ...], tuple[Hold, ...]]:
    """Give the sites that are taken away, and the holds on those that are not. Only a full pass takes any away."""
    gone = sorted((one for one in world.abandoned if one.name not in declared.names), key=lambda one: one.name)
    if not scope.full or not gone:
        return (), ()
    kept = tuple(_kept(one) for one in gone if one.prune_disabled or one.damage)
    away = tuple(one for one in gone if not one.prune_disabled and not one.damage)
    held = _guard(away, declared, world, limits) if away else None
    return ((), (*kept, held)) if held else (away, kept)


def staying(world: World, gone: Iterable[Abandoned]) -> frozenset[str]:
    """Give the targets in which a site that is declared no more stays: its removal is held, or not for this pass.

    What its server's own configuration includes there goes with the last site, not before.
    """
    leaving = {one.name for one in gone}
    return frozenset(target for one in world.abandoned if one.name not in leaving for target in one.installed)


def only_removes(files: Sequence[PlannedFile]) -> bool:
    """Tell whether files go and none comes or changes."""
    return bool(files) and all(file.change is FileChange.REMOVE for file in files)


def _kept(one: Abandoned) -> Hold:
    if one.damage:
        return damage_hold(one.name, one.damage)
    message = "no longer declared, but its last manifest said `certwright/prune: disabled`"
    return Hold(Reason.PRUNE_DISABLED, message, site=one.name, ends_when="the site is declared again")


def _guard(away: tuple[Abandoned, ...], declared: Declared, world: World, limits: Limits) -> Hold | None:
    names = some(tuple(one.name for one in away))
    count, known = len(away), max(world.known, len(world.abandoned))
    if not declared.complete:
        message = f"{_sites(count)} would be removed ({names}), but not every manifest could be read"
        return Hold(Reason.INVALID_MANIFEST, message, ends_when="every manifest of the tree is valid")
    last = not declared.names or count >= known
    if (count * 100 <= known * PERCENT and not last) or (limits.removals or 0) >= count:
        return None
    message = f"{count} of {_sites(known)} would be removed: {names}"
    return Hold(
        Reason.TOO_MANY_REMOVALS,
        message,
        ends_when=f"the manifests are back, or `certwright apply --allow-removals {count}`",
        failed=True,
        count=count,
    )


def _sites(count: int) -> str:
    return f"{count} site{'' if count == 1 else 's'}"


def guard_reissues(wishes: Sequence[Wish], total: int, limits: Limits) -> tuple[tuple[Wish, ...], tuple[Hold, ...]]:
    """Hold certificates that are good and would be replaced, if they are too many of `total` sites at once."""
    counted = tuple(wish.desired.name for wish in wishes if wish.issues and wish.counted and not wish.desired.suspend)
    few = total < REISSUES_FROM or len(counted) * 100 <= total * PERCENT
    if few or (limits.reissues or 0) >= len(counted):
        return tuple(wishes), ()
    held = Hold(
        Reason.TOO_MANY_REISSUES,
        f"{len(counted)} of {_sites(total)} would get a new certificate although theirs is good: {some(counted)}",
        ends_when=f"the change is undone, or `certwright apply --allow-reissues {len(counted)}`",
        failed=True,
        count=len(counted),
    )
    stopped = frozenset(counted)
    return tuple(_stop(wish, held) if wish.desired.name in stopped else wish for wish in wishes), (held,)


def _stop(wish: Wish, held: Hold) -> Wish:
    """Hold the certificate; the hold itself is told once, so the site carries a copy that is not listed again."""
    return replace(wish, holds=(replace(held, site=wish.desired.name),))


def left_behind(declared: Declared, world: World, scope: Scope, now: datetime) -> tuple[Change, ...]:
    """Take away what an earlier process put into the world for a challenge, unless its order goes on."""
    left = (
        thing
        for thing in world.undo
        if thing.kind != "address" and not thing.is_tried(now) and _is_left(thing.site, declared, world, scope, now)
    )
    return tuple(_clean_up(thing) for thing in sorted(left, key=lambda thing: (thing.site, thing.id)))


def _is_left(site: str, declared: Declared, world: World, scope: Scope, now: datetime) -> bool:
    if site in world.sites and site in declared.sites:
        if world.sites[site].damage:
            return False  # its order may go on once it can be read
        order = world.sites[site].order
        return order is None or not order.goes_on(now)
    if site in declared.names:
        # one that needs no look has no order in flight; who does the change looks again
        return scope.full and (scope.sites is None or site in scope.sites)
    # only of a whole tree that the state follows, completely read, does it say anything that a site is missing
    return scope.full and scope.sites is None and declared.complete


def _clean_up(thing: Undo) -> Change:
    record = f"at {thing.name} in " if thing.kind == "txt" else "in "
    where = f"{record}{thing.place}" if thing.place else "among the tokens"
    return Change(
        verb=Verb.CLEAN_UP,
        subject=f"undo/{thing.id}",
        reason=Reason.LEFT_BEHIND,
        message=f"the answer to a challenge of an earlier order may still stand {where}",
        decided_on=digest_of(thing.kind, thing.place, thing.name),
        site=thing.site,
        rank=0,
    )
