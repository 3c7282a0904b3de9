"""Which part of a plan is begun now. What is left out is planned afresh by a later pass, never changed.

Left out are: changes that were tried a moment ago; the changes of a target that another plan is working on; and what a
target takes up once a certificate came, since by then other sites may share its reload and its `delay` is to be judged.
With a change goes all that comes after it, and with a reload all that it would have loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.model.changes import Change, Plan

_ON_TARGETS: Final = frozenset({Verb.INSTALL, Verb.UNINSTALL, Verb.RELOAD})


@dataclass(frozen=True, slots=True)
class Deal:
    """What goes now, and what does not: left out because it was `tried` lately, or because a target is `taken`.

    `behind` goes with what was tried, and `later` with anything else.
    """

    plan: Plan
    tried: tuple[Change, ...] = ()
    taken: tuple[Change, ...] = ()
    behind: tuple[Change, ...] = ()
    later: tuple[Change, ...] = ()


def deal(plan: Plan, taken: Collection[str], was_tried: Callable[[Change], bool]) -> Deal:
    """Divide a plan; `taken` are the targets that are being worked on."""
    changes = {change.id: change for change in plan.changes}  # an id is a hash: made once
    tried = {name for name, change in changes.items() if was_tried(change)}
    blocked = {name for name, change in changes.items() if change.target is not None and change.target in taken}
    out = _with_all_that_goes(changes, tried | blocked | _after_issues(changes))
    behind = _with_all_that_goes(changes, tried) - tried - blocked
    return Deal(
        plan=replace(plan, changes=tuple(change for name, change in changes.items() if name not in out)),
        tried=tuple(changes[name] for name in sorted(tried - blocked)),
        taken=tuple(changes[name] for name in sorted(blocked)),
        behind=tuple(changes[name] for name in sorted(behind)),
        later=tuple(changes[name] for name in sorted(out - tried - blocked - behind)),
    )


def _after_issues(changes: Mapping[str, Change]) -> set[str]:
    """Give what rests on a certificate of this same plan, however indirectly."""
    resting: set[str] = set()
    found: set[str] = set()
    for name, change in changes.items():  # predecessors stand before their successors
        if not resting.isdisjoint(change.after):
            found.add(name)
        elif change.verb is not Verb.ISSUE:
            continue
        resting.add(name)
    return found


def _with_all_that_goes(changes: Mapping[str, Change], out: set[str]) -> set[str]:
    while grown := _grown(changes, out):
        out = out | grown
    return out


def _grown(changes: Mapping[str, Change], out: set[str]) -> set[str]:
    """Give what must go because of what went."""
    grown: set[str] = set()
    for name, change in changes.items():
        if name in out and change.verb is Verb.RELOAD:
            parts = (before for before in change.after if before in changes)
            grown.update(before for before in parts if _is_part(changes[before], change))
        elif name not in out and _is_lost(change, changes, out):
            grown.add(name)
    return grown - out


def _is_part(before: Change, reload: Change) -> bool:
    return before.verb in _ON_TARGETS and before.target == reload.target


def _is_lost(change: Change, changes: Mapping[str, Change], out: set[str]) -> bool:
    """Tell whether a change cannot go: a reload while anything is left for it to load goes on."""
    if change.verb is Verb.RELOAD:
        return bool(change.after) and all(before in out or before not in changes for before in change.after)
    return not out.isdisjoint(change.after)
