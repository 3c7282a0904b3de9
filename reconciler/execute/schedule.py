"""The book of one plan: which change may start, which must be skipped because one before it did not succeed.

A change that ends costs what waits for it, not the length of the plan: ten thousand sites finish one by one. To ask
what is partly ready costs the number of targets, to ask for batches the parts of those that are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.execute.groups import Groups
from reconciler.model.changes import Change, Plan, Reason, Verb
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET_VERBS: Final = frozenset({Verb.INSTALL, Verb.UNINSTALL, Verb.RELOAD})


def is_of_target(change: Change) -> bool:
    """Tell whether a change is done by the target's thread: what is written there, a reload, a look at its server."""
    return change.verb in TARGET_VERBS or (change.verb is Verb.REFRESH and change.target is not None)


class Schedule:
    """Tracks the changes of a plan by `after`; not thread-safe, its owner holds a lock."""

    def __init__(self, plan: Plan) -> None:
        """Take the plan; `after` that names a change of no plan is no hindrance."""
        self._left: dict[str, Change] = {change.id: change for change in plan.changes}
        self._waits: dict[str, set[str]] = {
            change.id: {before for before in change.after if before in self._left} for change in plan.changes
        }
        self._next: dict[str, list[str]] = {}
        self._useful: set[str] = {name for name, befores in self._waits.items() if not befores}
        for name, befores in self._waits.items():
            for before in befores:
                self._next.setdefault(before, []).append(name)
        self._groups = Groups(self._left, self._waits)
        self._parts: dict[str, dict[str, Change]] = {}
        self._free: dict[str, set[str]] = {}
        for name, change in self._left.items():
            if change.verb in TARGET_VERBS:
                self._parts.setdefault(change.target or "", {})[name] = change
                self._note_free(change)

    def ready(self) -> list[Change]:
        """Give the site changes that may start at the outset; batches are asked for by `batches`."""
        return [self._left[name] for name, befores in self._waits.items() if not befores and self._is_site(name)]

    def pending(self) -> bool:
        """Tell whether any change has not ended."""
        return bool(self._left)

    def left(self) -> list[Change]:
        """Give the changes that have not ended."""
        return list(self._left.values())

    def finish(self, outcome: Outcome) -> tuple[list[Change], list[Outcome]]:
        """Note an outcome; give the site changes that may start now, and all that ended by it, itself first.

        A change that has ended already ends once: then there are none.
        """
        started: list[Change] = []
        ended: list[Outcome] = []
        queue = [outcome]
        while queue:
            one = queue.pop()
            if self._left.pop(one.change.id, None) is None:
                continue
            ended.append(one)
            self._forget_part(one.change)
            self._groups.ended(one.change.id)
            for name in self._next.pop(one.change.id, ()):
                self._after(name, one, started, queue)
        return started, ended

    def _after(self, name: str, ended: Outcome, started: list[Change], queue: list[Outcome]) -> None:
        change = self._left.get(name)
        if change is None:
            return
        self._waits[name].discard(ended.change.id)
        if ended.status is Status.DONE:
            self._useful.add(name)
        if self._is_lost(change, ended):
            queue.append(_dependency(change, ended))
            return
        self._note_free(change)
        if not self._waits[name]:
            if self._is_site(name):
                started.append(change)
            else:
                self._groups.freed(name)

    def _is_lost(self, change: Change, ended: Outcome) -> bool:
        """Tell whether a change is lost: a reload if nothing before it succeeded, any other if one thing failed."""
        if change.verb is Verb.RELOAD:
            return not self._waits[change.id] and change.id not in self._useful
        return ended.status is not Status.DONE

    def _is_site(self, name: str) -> bool:
        return not is_of_target(self._left[name])

    def batches(self) -> list[tuple[str, tuple[Change, ...]]]:
        """Give the target batches whose every part may start now, as (target, its changes, the reload last)."""
        found = []
        for names in self._groups.due():
            parts = sorted((self._left[name] for name in names), key=_turn)
            if parts:
                found.append((parts[0].target or "", tuple(parts)))
        return found

    def partly_ready(self) -> set[str]:
        """Give the targets of which something may start although not all of the batch may."""
        return {target for target, names in self._free.items() if names}

    def _note_free(self, change: Change) -> None:
        if change.verb in TARGET_VERBS and self._may_hasten(change):
            self._free.setdefault(change.target or "", set()).add(change.id)

    def _forget_part(self, change: Change) -> None:
        self._parts.get(change.target or "", {}).pop(change.id, None)
        self._free.get(change.target or "", set()).discard(change.id)

    def _may_hasten(self, change: Change) -> bool:
        return change.id in self._useful if change.verb is Verb.RELOAD else not self._waits[change.id]

    def hasten(self, target: str) -> tuple[tuple[Change, ...], Sequence[Outcome]]:
        """Give the parts of a target that may start now as one batch; the rest is skipped, for the next pass."""
        mine = list(self._parts.get(target, {}).values())
        parts = [c for c in mine if c.verb is not Verb.RELOAD and not self._waits[c.id]]
        late = [c for c in mine if c.verb is not Verb.RELOAD and self._waits[c.id]]
        reloads = [c for c in mine if c.verb is Verb.RELOAD]
        skipped = [Outcome(c, Status.SKIPPED, Reason.NO_LONGER_PLANNED, "left to the next pass") for c in late]
        return (*parts, *reloads[:1]), skipped


def _turn(change: Change) -> tuple[bool, int, str]:
    return change.verb is Verb.RELOAD, change.rank, change.subject


def _dependency(change: Change, ended: Outcome) -> Outcome:
    what = f"{ended.change.verb} of {ended.change.subject}"
    if ended.status is Status.WAITING and ended.change.verb is Verb.REGISTER:
        return Outcome(change, Status.WAITING, ended.reason, f"{what} waits: {ended.message}", ended.again)
    if ended.status is Status.WAITING:
        return Outcome(change, Status.WAITING, ended.reason, f"it comes after the {what}, which waits", ended.again)
    # what was given up because somebody else did it, or because we stop, is no failure further down either
    reason = ended.reason if ended.status is Status.SKIPPED else Reason.DEPENDENCY_FAILED
    # further down, what failed in the first place is what a person needs
    chained = ended.status is Status.SKIPPED and ended.reason == Reason.DEPENDENCY_FAILED
    text = ended.message if chained else f"{what} did not succeed: {ended.message}"
    return Outcome(change, Status.SKIPPED, reason, text, again=ended.again, blame=ended.blame)
