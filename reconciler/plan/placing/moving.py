"""A site that goes from one target to another: it stays where it is until the new one has taken it up.

Also a target that was renamed while something else of it changed, and so is another one with the same server behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.model.changes import Hold, Reason
from reconciler.plan.placing.targets import reloads

if TYPE_CHECKING:
    from reconciler.model.desired import TargetSpec
    from reconciler.plan.issuing.wish import Wish
    from reconciler.plan.placing.reloads import Batch
    from reconciler.plan.placing.targets import Work


def arrivals(wish: Wish, left: TargetSpec) -> list[str]:
    """Give the targets of a site that have not taken it up yet and may do so while it is still on the one it left.

    Two blocks that are each the default of one address no server takes.
    """
    alone = getattr(left, "default_site", None) == wish.desired.name
    specs = (use.spec for use in wish.desired.targets if _is_fresh(wish, use.spec))
    return [one.name for one in specs if not (alone and getattr(one, "default_site", None) == wish.desired.name)]


def _is_fresh(wish: Wish, spec: TargetSpec) -> bool:
    on = wish.observed.on.get(spec.name)
    if on is None or on.inventory is None:
        return True
    return reloads(spec) and on.inventory.loaded is None


@dataclass(slots=True)
class Moving:
    """The departures of one plan that wait for arrivals; `waits` of a target for others, without a circle."""

    first: Batch
    second: Batch
    waits: dict[str, set[str]] = field(default_factory=dict)

    def after(self, work: Work, wish: Wish) -> tuple[str, ...] | Hold:
        """Give the changes after which a site may leave a target, or the hold on that."""
        name, found = wish.desired.name, list[str]()
        for target in arrivals(wish, work.spec):
            last = self.first if self.first.installs(target, name) else self.second
            ids = last.left([target], name) or self.first.ends([target], name)
            if not ids:
                return _pending(name, work.target, target)
            if work.target not in self._reached(target):
                self.waits.setdefault(work.target, set()).add(target)
                found += ids
        return tuple(dict.fromkeys(found))

    def _reached(self, target: str) -> set[str]:
        """Give all that a target's batch waits for, itself included."""
        seen, row = set[str](), [target]
        while row:
            one = row.pop()
            if one not in seen:
                seen.add(one)
                row += self.waits.get(one, ())
        return seen


def _pending(site: str, old: str, new: str) -> Hold:
    return Hold(
        Reason.HANDOVER_PENDING, f"it stays on {old} until {new} has taken it up",
        site=site, target=old, ends_when=f"site `{site}` is installed on {new}",
    )  # fmt: skip
