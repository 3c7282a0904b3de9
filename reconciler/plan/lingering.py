"""What ought to be gone, was tried to be taken away, and is still there: told beside the holds of a plan.

Each pass tries it again, so nothing holds it; but no declared site bears it, and who looks at a glance would miss it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason, Verb
from reconciler.model.observed import NO_SPEC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.model.changes import Change
    from reconciler.model.observed import Abandoned, LastFailure, Undo, World

_NAMED: Final = 5
"""Each is told by itself up to here: a hook that is broken may leave thousands."""


def lingering(world: World, declared: Collection[str], wanted: Iterable[Change]) -> Iterator[Hold]:
    """Give holds for answers to challenges that nobody could take away, and for each removal that failed.

    Of removals only a full pass knows. One that is not `wanted` now is held, which tells of itself: what failed may
    have been an earlier one, before the site was declared again.
    """
    left = [thing for thing in world.undo if thing.problem and thing.kind != "address"]
    yield from map(_left, left[:_NAMED])
    if len(left) > _NAMED:
        text = f"{len(left) - _NAMED:,} more answers to challenges are not taken away either"
        yield Hold(Reason.LEFT_BEHIND, text, ends_when="they can be: their records are in undo/", failed=True)
    leaving = {change.site for change in wanted if change.verb is Verb.UNINSTALL} - set(declared)
    for site in world.abandoned:
        last = _last_of_removal(site) if site.name in leaving else None
        if last is not None:
            yield _installed(site, last)


def _last_of_removal(site: Abandoned) -> LastFailure | None:
    """Give why a site could not be taken away when that was tried last."""
    found = (one.last for one in site.failures.values() if one.digest == NO_SPEC and one.count and one.last is not None)
    return max(found, key=lambda last: last.at, default=None)


def _left(thing: Undo) -> Hold:
    message = f"{thing.shown} of site {thing.site} is not taken away: {thing.problem}"
    ends = f"it can be taken away, which each pass tries (its record is undo/{thing.id}.json)"
    return Hold(Reason.LEFT_BEHIND, message, ends_when=ends, failed=True)


def _installed(site: Abandoned, last: LastFailure) -> Hold:
    message = f"site {site.name} is declared no more, and could not be taken away: {last.reason}: {last.detail}"
    ends = "what the message names is mended: a full pass tries it again"
    return Hold(Reason.NOT_DECLARED, message, ends_when=ends, failed=True)
