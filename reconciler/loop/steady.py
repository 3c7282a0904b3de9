"""The manifest tree as the loop reads it: at a hint or a scan, not in every pass; and never lost as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.errors import ManifestError
from reconciler.manifests.lastgood.holding import tree_hold

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.engine import Manifests
    from reconciler.errors import Problem
    from reconciler.model.changes import Hold
    from reconciler.model.ports import Declared


@dataclass(slots=True)
class SteadyTree:
    """A `Manifests` that gives what the last `reread` found; `trouble` is why the last one failed, None if it did not.

    Where nothing at all can be read (a disk that is not mounted), the last meaning stays, and nothing is removed.
    """

    tree: Manifests
    trouble: str | None = None
    _digests: Mapping[str, str] | None = None
    _held: frozenset[Hold] = field(default_factory=frozenset)
    _problems: frozenset[Problem] = field(default_factory=frozenset)

    def reread(self) -> Reread:
        """Read what changed. Raises ManifestError only if nothing could be read since the start."""
        before = self._digests or {}
        try:
            self._digests, self.trouble = dict(self.tree.refresh()), None
        except ManifestError as error:
            if self._digests is None:
                raise
            self.trouble = str(error)
        held = frozenset((*self.tree.declared(()).held, *self._trouble()))
        moved = frozenset(hold.site or "" for hold in held ^ self._held)
        self._held = held
        known = self._digests.keys()
        return Reread(
            problems=self._fresh_problems(),
            changed=frozenset(name for name, digest in self._digests.items() if before.get(name) != digest),
            gone=frozenset(before.keys() - known),
            held=moved & known,
            strange=moved - known,
        )

    def _fresh_problems(self) -> tuple[Problem, ...]:
        """Give what is wrong with the manifests and was not a reading ago."""
        before, self._problems = self._problems, frozenset(getattr(self.tree, "problems", ()))
        return tuple(sorted(self._problems - before))

    def refresh(self) -> Mapping[str, str]:
        """Give each declared site with the digest of its meaning, as last read."""
        return self._digests or {}

    def declared(self, names: Collection[str]) -> Declared:
        """Give the meaning of these sites."""
        declared = self.tree.declared(names)
        if not names:
            # of sites that are not looked at; one without any meaning never is, and is told all the same
            held = tuple(hold for hold in declared.held if hold.site not in declared.names)
            declared = replace(declared, held=held)
        if not self.trouble:
            return declared
        return replace(declared, complete=False, held=(*declared.held, *self._trouble()))

    def _trouble(self) -> tuple[Hold, ...]:
        return (tree_hold(f"{self.trouble}; the last good meaning of all sites is kept"),) if self.trouble else ()


@dataclass(frozen=True, slots=True)
class Reread:
    """What a reading found different: problems, meanings, sites that are gone, sites whose manifest broke or healed.

    `strange` are those of the last that have no meaning; `""` is the tree itself.
    """

    problems: tuple[Problem, ...]
    changed: frozenset[str]
    gone: frozenset[str]
    held: frozenset[str]
    strange: frozenset[str]

    @property
    def news(self) -> bool:
        """Whether anything is different; the next reading, of what is as it was, will be a quick one."""
        return bool(self.problems or self.changed or self.gone or self.held or self.strange)
