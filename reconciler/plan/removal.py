"""Sites that no manifest declares any more: out of the targets, reload, then into the archive; never revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Hold, PlannedFile, Reason, Verb
from reconciler.model.observed import FileChange
from reconciler.plan.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Abandoned, Inventory
    from reconciler.plan.reloads import Batch
    from reconciler.plan.renaming import Heirs
    from reconciler.plan.steps import Gate


@dataclass(frozen=True, slots=True)
class Removal:
    """The archivings, each with the targets that must be done with the site first, and what is held."""

    archives: tuple[tuple[Change, tuple[str, ...]], ...] = ()
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class Rounds:
    """The two rounds of a plan, and the targets that have work in the second."""

    first: Batch
    second: Batch
    late: frozenset[str]


def plan_removal(
    gone: tuple[Abandoned, ...],
    gate: Gate,
    specs: Mapping[str, TargetSpec],
    rounds: Rounds,
    heirs: Heirs,
    activates: Mapping[str, Change],
) -> Removal:
    """Plan the removals; a target that is reloaded later anyway loses them then: nothing goes before its heir came.

    What only has another name now goes in the switch that brings its heir.
    """
    archives: list[tuple[Change, tuple[str, ...]]] = []
    holds: list[Hold] = []
    for one in gone:
        heir = heirs.names.get(one.name)
        held = [hold for hold in (_held(one, target, gate, specs) for target in sorted(one.installed)) if hold]
        held = held or [hold for hold in (heirs.hold(one),) if hold]
        if held:
            holds.extend(held)
            continue
        after = (activates[heir].id,) if heir is not None and heir in activates else ()
        for target, inventory in sorted(one.installed.items()):
            batch = rounds.second if target in rounds.late and heir is None else rounds.first
            batch.add_uninstall(one.name, target, removed_files(inventory), heir, after)
        archives.append((_archive(one, heir), tuple(sorted(one.installed))))
    return Removal(tuple(archives), tuple(holds))


def _held(one: Abandoned, target: str, gate: Gate, specs: Mapping[str, TargetSpec]) -> Hold | None:
    return gate.hold(target, specs[target], one.name) if target in specs else None


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
