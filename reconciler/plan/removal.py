"""Sites that no manifest declares any more: out of the targets, reload, then into the archive; never revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Hold, PlannedFile, Reason, Verb
from reconciler.model.observed import FileChange
from reconciler.plan.digests import digest_of
from reconciler.plan.placing.reloads import Departure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Abandoned, Inventory
    from reconciler.plan.placing.gate import Gate
    from reconciler.plan.placing.handover import Handovers
    from reconciler.plan.placing.reloads import Batch
    from reconciler.plan.placing.steps import Steps
    from reconciler.plan.renaming import Heirs


@dataclass(frozen=True, slots=True)
class Removal:
    """The archivings, each with the targets that must be done with the site first, and what is held."""

    archives: tuple[tuple[Change, tuple[str, ...]], ...] = ()
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class Rounds:
    """The two rounds of a plan, the targets that have work in the second, and who takes over from whom."""

    first: Batch
    second: Batch
    late: frozenset[str]
    heirs: Heirs
    handovers: Handovers
    steps: Mapping[str, Steps]

    def hold(self, one: Abandoned) -> Hold | None:
        """Hold what would leave names to nobody."""
        held = (self.handovers.blocked(one.name, target, self.steps) for target in sorted(one.installed))
        return self.heirs.hold(one) or next((hold for hold in held if hold is not None), None)

    def departure(self, one: Abandoned, target: str, activates: Mapping[str, Change]) -> tuple[Batch, Departure]:
        """Give the round in which a site leaves a target, and how."""
        heir = self.heirs.names.get(one.name)
        takers = (heir,) if heir is not None else self.handovers.takers(one.name, target)
        after = tuple(activates[taker].id for taker in takers if taker in activates)
        late = target in self.late if not takers else self.handovers.joins(one.name, target, self.steps)
        reason = Reason.NOT_DECLARED if heir is None else Reason.RENAMED
        return self.second if late else self.first, Departure(reason, after, takers)


def plan_removal(
    gone: tuple[Abandoned, ...],
    gate: Gate,
    specs: Mapping[str, TargetSpec],
    rounds: Rounds,
    activates: Mapping[str, Change],
) -> Removal:
    """Plan the removals; a target that is reloaded later anyway loses them then: nothing goes before its heir came.

    What another site takes over, or the same one under another name, goes in the switch that brings it there.
    """
    archives: list[tuple[Change, tuple[str, ...]]] = []
    holds: list[Hold] = []
    for one in gone:
        held = holds_of(one, gate, specs, rounds)
        if held:
            holds.extend(held)
            continue
        for target, inventory in sorted(one.installed.items()):
            batch, departure = rounds.departure(one, target, activates)
            batch.add_uninstall(one.name, target, departure, removed_files(inventory))
        archives.append((_archive(one, rounds.heirs.names.get(one.name)), tuple(sorted(one.installed))))
    return Removal(tuple(archives), tuple(holds))


def holds_of(one: Abandoned, gate: Gate, specs: Mapping[str, TargetSpec], rounds: Rounds) -> list[Hold]:
    """Give what holds a site's removal: from all of its targets, where any of these is held."""
    held = [hold for hold in (_held(one, target, gate, specs) for target in sorted(one.installed)) if hold]
    return held or [hold for hold in (rounds.hold(one),) if hold]


def _held(one: Abandoned, target: str, gate: Gate, specs: Mapping[str, TargetSpec]) -> Hold | None:
    return gate.hold(target, specs[target], one.name) if target in specs else gate.lost(target, one.name)


def removed_files(inventory: Inventory) -> tuple[PlannedFile, ...]:
    """Give the removal of every file of an inventory."""
    return tuple(PlannedFile(file.path, file.part, FileChange.REMOVE) for file in inventory.files)


def _archive(one: Abandoned, heir: str | None) -> Change:
    return Change(
        verb=Verb.ARCHIVE,
        subject=f"site/{one.name}",
        reason=Reason.NOT_DECLARED if heir is None else Reason.RENAMED,
        message="no manifest declares the site; its certificates are kept in the archive for 30 days"
        if heir is None
        else f"the site is `{heir}` now; `live/{one.name}` leads there for 30 days",
        decided_on=digest_of(one.live, sorted(one.installed)),
        site=one.name,
        revision=one.live,
        former=heir,
    )
