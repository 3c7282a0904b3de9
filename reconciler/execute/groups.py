"""Which changes of targets run as one batch: those before one reload, or those of a target that no reload follows.

Looks at what a server shows are a batch of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES = (Verb.INSTALL, Verb.UNINSTALL)


class Groups:
    """The batches of one plan, with what still keeps each from starting."""

    def __init__(self, changes: Mapping[str, Change], waits: Mapping[str, set[str]]) -> None:
        """Take the changes by id, and what each waits for."""
        self._parts: dict[str, set[str]] = {}
        self._blocked: dict[str, set[str]] = {}
        self._of: dict[str, list[str]] = {}
        self._due: set[str] = set()
        followed: set[str] = set()
        for change in changes.values():
            if change.verb is Verb.RELOAD:
                parts = {name for name in waits[change.id] if changes[name].verb in _FILES}
                followed |= parts
                late = {name for name in parts if waits[name]}
                self._add(change.id, {change.id, *parts}, (waits[change.id] - parts) | late)
        loose: dict[str, set[str]] = {}
        for change in changes.values():
            if change.verb in _FILES and change.id not in followed:
                loose.setdefault(change.target or "", set()).add(change.id)
        for target, parts in loose.items():
            # what comes after a certificate is a batch of its own: the certificate waits for the first one
            late = {name for name in parts if _comes_after(name, parts, waits)}
            for key, those in ((f"target/{target}", parts - late), (f"target/{target}/late", late)):
                if those:
                    self._add(key, those, {name for name in those if waits[name]})

        self._add_looks(changes, waits)

    def _add_looks(self, changes: Mapping[str, Change], waits: Mapping[str, set[str]]) -> None:
        looks: dict[str, set[str]] = {}
        for change in changes.values():
            if change.verb is Verb.REFRESH and change.target is not None:
                looks.setdefault(change.target, set()).add(change.id)
        for target, those in looks.items():
            self._add(f"target/{target}/look", those, {name for name in those if waits[name]})

    def _add(self, key: str, parts: set[str], blocked: set[str]) -> None:
        self._parts[key], self._blocked[key] = parts, blocked
        for name in parts | blocked:
            self._of.setdefault(name, []).append(key)
        if not blocked:
            self._due.add(key)

    def ended(self, name: str) -> None:
        """Note that a change has ended."""
        for key in self._of.pop(name, ()):
            self._parts[key].discard(name)
            self._unblock(key, name)
            if not self._parts[key]:
                self._due.discard(key)

    def freed(self, name: str) -> None:
        """Note that a part waits for nothing any more."""
        for key in self._of.get(name, ()):
            if key != name:
                self._unblock(key, name)

    def _unblock(self, key: str, name: str) -> None:
        self._blocked[key].discard(name)
        if not self._blocked[key] and self._parts[key]:
            self._due.add(key)

    def due(self) -> list[set[str]]:
        """Give the batches that nothing keeps, each as the ids of its changes."""
        return [set(self._parts[key]) for key in self._due]


def _comes_after(name: str, parts: set[str], waits: Mapping[str, set[str]]) -> bool:
    """Tell whether a change waits, however indirectly, for one of these parts."""
    seen: set[str] = set()
    row = list(waits[name])
    while row:
        before = row.pop()
        if before in parts:
            return True
        if before not in seen:
            seen.add(before)
            row.extend(waits[before])
    return False
