"""A site that was renamed: declared no more, and its very names, issuer and key are another's that has nothing yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.model.changes import Hold, Reason
from reconciler.model.observed import NoRevision, Revision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.observed import Abandoned, OnTarget, World
    from reconciler.plan.issuing.wish import Wish
    from reconciler.plan.placing.steps import Steps


@dataclass(frozen=True, slots=True)
class Heirs:
    """The new names of renamed sites by their former ones, and the steps of the new ones that are in this pass."""

    names: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Steps] = field(default_factory=dict)

    @classmethod
    def of(cls, steps: Sequence[Steps], world: World) -> Heirs:
        """Gather them; also of a renaming that an earlier pass did not come to the end of."""
        found = {former: one for one in steps if (former := _former(one.wish)) is not None}
        begun = {one.name: one.heir for one in world.abandoned if one.heir is not None}
        return cls(begun | {former: one.wish.desired.name for former, one in found.items()}, found)

    def parted(self, world: World) -> tuple[tuple[Abandoned, ...], World]:
        """Give what is left under former names, and the world without it: no guard counts what only has a new name."""
        renamed = tuple(one for one in world.abandoned if one.name in self.names)
        return renamed, replace(world, abandoned=tuple(one for one in world.abandoned if one.name not in self.names))

    def hold(self, one: Abandoned) -> Hold | None:
        """Hold the removal while the new name's files do not come into the same target in the same switch."""
        steps = self.steps.get(one.name)
        if steps is None:
            return None
        wanted = {use.spec.name for use in steps.wish.desired.targets} & one.installed.keys()
        there = {name for name, on in steps.wish.observed.on.items() if _is_loaded(on, steps.wish)}
        lacking = sorted(wanted - {work.target for work in steps.early} - there)
        if not lacking:
            return None
        message = f"renamed to `{self.names[one.name]}`, which is not installed on {lacking[0]} yet"
        return Hold(
            Reason.HANDOVER_PENDING, message, site=one.name, target=lacking[0],
            ends_when=f"site `{self.names[one.name]}` can be installed there",
        )  # fmt: skip


def _former(wish: Wish) -> str | None:
    """Give the former name of a site that takes over its certificate now, or has done so."""
    inherits = wish.observed.inherits
    has = inherits is not None and not isinstance(wish.observed.live, NoRevision)
    return inherits.site if has and inherits is not None else wish.former


def _is_loaded(on: OnTarget, wish: Wish) -> bool:
    return on.inventory is not None and isinstance(wish.live, Revision) and on.inventory.loaded == wish.live.id
