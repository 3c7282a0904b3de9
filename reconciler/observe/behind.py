"""A target that moves to another directory in a pass over some of its sites: who would be left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.desired import directory_of, has_outside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Inventory, ObservedSite, TargetRecord
    from reconciler.model.ports import Declared, Scope
    from reconciler.observe.torn import Complete
    from reconciler.observe.view import TargetView


@dataclass(frozen=True, slots=True)
class Behind:
    """`left_out`: declared sites that the pass does not look at, were they quiet or not; `seen`: those that it does.

    `whole`: it leaves out nobody, declared or not. `complete` remembers in which shared files no site's lines lack.
    """

    left_out: frozenset[str]
    seen: Mapping[str, ObservedSite]
    records: Mapping[str, TargetRecord]
    whole: bool
    complete: Complete

    @classmethod
    def of(
        cls,
        declared: Declared,
        scope: Scope,
        seen: Mapping[str, ObservedSite],
        records: Mapping[str, TargetRecord],
        complete: Complete,
    ) -> Behind:
        """Take what a pass leaves out."""
        left_out = declared.names - scope.sites if scope.sites is not None else frozenset()
        return cls(left_out, seen, records, scope.sites is None, complete)

    def on(self, view: TargetView) -> tuple[str, ...]:
        """Give the sites left out whose files are not where the target wants them now.

        All inventories are read for it, of maybe ten thousand sites; so only where the target moves.
        """
        spec = view.target.spec if view.target is not None and view.seats else None
        if spec is None or not self.left_out or not self._moves(view, spec):
            return ()
        found = view.inventories.items()
        return tuple(name for name, entry in found if name in self.left_out and _is_outside(spec, entry))

    def _moves(self, view: TargetView, spec: TargetSpec) -> bool:
        """Tell whether it was installed elsewhere; by its sites too, since what failed there may have gone back."""
        record = self.records.get(view.name)
        if record is not None and directory_of(record.spec) != directory_of(spec):
            return True
        on = (self.seen[name].on.get(view.name) for name in view.seats if name in self.seen)
        return any(one is not None and _is_outside(spec, one.inventory) for one in on)


def _is_outside(spec: TargetSpec, entry: Inventory | None) -> bool:
    return entry is not None and has_outside(spec, [file.path for file in entry.files])
