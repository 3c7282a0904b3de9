"""One batch of a target: switch its files, test, reload, remember what is loaded, prove. Or put everything back.

Under the target's lease; takes no site's lease meanwhile: reads `live`, which is one atomic pointer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import Failed, StoreError
from reconciler.execute.batches import amiss, bookkeeping
from reconciler.execute.batches.activation import activate, taken_up
from reconciler.execute.batches.adopting import Adopting
from reconciler.execute.batches.batch import Batch, Bench, in_one_line
from reconciler.execute.batches.before import harmless, look_before
from reconciler.execute.batches.giving import give
from reconciler.execute.batches.proof import looked
from reconciler.execute.batches.restoring import put_in_place, restored
from reconciler.execute.batches.setbacks.expel import expel
from reconciler.execute.batches.setbacks.isolate import Isolation, Verdict
from reconciler.execute.batches.setbacks.rejecting import give_way, summed
from reconciler.execute.batches.staging import swaps_of
from reconciler.execute.batches.switching import swap as swaps
from reconciler.execute.batches.switching.former import known_of, put_back, read_record
from reconciler.model.changes import Reason, Verb
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.execute.batches.hands.local import LocalHands
    from reconciler.execute.remember import Remembering
    from reconciler.model.changes import Change
    from reconciler.model.desired import DesiredSite, TargetSpec
    from reconciler.model.ports import Clock, Declared, Lease, SiteOnTarget, Store, Target


@dataclass(frozen=True, slots=True)
class TargetBatches:
    """Runs batches. `targets` builds a target from its spec; `seats` says how the sites of a pass look to a target."""

    store: Store
    targets: Callable[[TargetSpec], Target]
    seats: Callable[[str, Declared], Mapping[str, SiteOnTarget]]
    hands: LocalHands
    clock: Clock
    memory: Remembering
    verb: str = "apply"
    wait: float = 60.0

    def __call__(self, target: str, changes: Sequence[Change], declared: Declared) -> Sequence[Outcome]:
        """Do the batch; the outcomes are those of its changes."""
        Adopting(self.store, self.clock, self.verb, self.wait).keep(changes)
        self._recover_others(target, changes)
        with self.store.claim(f"target/{target}", self.verb, self.wait) as lease:
            recover(self.store, lease, target)
            spec = declared.targets.get(target) or self.store.targets()[target].spec
            bench = Bench(self.store, self.hands, self.clock, self.memory, self.verb)
            seats = self.seats(target, declared)
            batch = Batch(bench, lease, self.targets(spec), tuple(changes), seats, declared.sites, declared.names)
            batch.left_out = partial(self._left_out, target, declared)
            outcomes = run(batch)
            return [*outcomes, *batch.beside.values()]

    def _left_out(self, target: str, declared: Declared, site: str) -> tuple[DesiredSite, SiteOnTarget] | None:
        """Give a declared site that the pass left out, as its manifests were last understood, and its seat."""
        meant = self.store.meaning([site]).get(site) if site in declared.names else None
        if meant is None:
            return None
        seat = self.seats(target, replace(declared, sites={site: meant})).get(site)
        return None if seat is None else (meant, seat)

    def _recover_others(self, target: str, changes: Sequence[Change]) -> None:
        """Put back first what was left half-way on a target that had these files before, as under another name."""
        paths = {file.path for change in changes for file in change.files}
        for other in self.store.targets().keys() - {target}:
            if not paths.isdisjoint(self._half_way(other)):
                with self.store.claim(f"target/{other}", self.verb, self.wait) as lease:
                    recover(self.store, lease, other)

    def _half_way(self, target: str) -> Collection[str]:
        """Give the paths of a switch that was left half-way; a record that cannot be read is that target's trouble."""
        try:
            record = self.store.switching(target)
            return () if record is None else {row.path for row in read_record(record)}
        except StoreError:
            return ()


def recover(store: Store, lease: Lease, target: str) -> None:
    """Put back what a killed process left half-way; what it had loaded decides whether a reload is due."""
    record = store.switching(target)
    if record is None:
        return
    noted = store.targets().get(target)
    left = put_back(record, known_of([*store.inventory(target).values(), *([noted.shared] if noted else [])]))
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise Failed(left[0].reason, f"an interrupted switch could not be put back: {left[0]}{more}")
    store.put_switch(lease, target, None)


def run(batch: Batch) -> list[Outcome]:
    """Do all of a batch."""
    if all(change.verb is Verb.REFRESH for change in batch.changes):
        return looked(batch)
    if all(change.restores for change in batch.changes):
        return restored(batch)
    touched = {change.site or "" for change in batch.files}
    batch.live = batch.bench.store.live({*batch.seats, *touched} - {""})
    batch.unbuilt = bookkeeping.lacks_built(batch)
    switch = swaps.Switch(tuple(swaps_of(batch)))
    before = look_before(batch, tested=not batch.target.replaces(batch.changed(switch)))
    if any(swap.differs for swap in switch.swaps):
        bookkeeping.begin(batch, switch)
    put_in_place(batch, switch)
    if _came_to_nothing(batch):
        return _left_alone(batch, switch)
    taken = taken_up(batch, switch, before)
    if taken is None and batch.reload is not None:
        amiss.put_back(batch, switch)
        if not harmless(batch):
            before()
    broken = _judge_test(batch, switch, _tested(batch, switch)) if taken is None else None
    if broken is None and _orphans(batch, switch):
        taken, broken = None, _judge_test(batch, switch, _tested(batch, switch))
    if broken is not None:
        return bookkeeping.all_failed(batch, broken)
    amiss.keep(batch)
    former = before()
    give(batch, switch)
    outcomes = []
    if batch.reload is not None:
        outcomes.append(_summed(batch, activate(batch, switch, batch.reload, former, taken)))
    else:
        bookkeeping.keep(batch, switch, loaded=False)
    return [*outcomes, *(bookkeeping.outcome_of(batch, change) for change in batch.files)]


def _came_to_nothing(batch: Batch) -> bool:
    """Tell whether no change could be made: whatever stands there, a reload for their sake would take it up."""
    own = batch.reload is not None and batch.reload.due
    return bool(batch.files) and not own and all((change.site or "") in batch.failed for change in batch.files)


def _left_alone(batch: Batch, switch: swaps.Switch) -> list[Outcome]:
    bookkeeping.keep(batch, switch, loaded=False)
    text = "nothing before it could be put in place"
    skipped = [Outcome(batch.reload, Status.SKIPPED, Reason.DEPENDENCY_FAILED, text)] if batch.reload else []
    return [*skipped, *(bookkeeping.outcome_of(batch, change) for change in batch.files)]


def _summed(batch: Batch, outcome: Outcome) -> Outcome:
    """Let a reload that went well for the others tell what was refused before it."""
    if not batch.rejected or outcome.status is not Status.DONE:
        return outcome
    text = summed(batch.rejected, batch.seats)
    return replace(outcome, status=Status.FAILED, reason=Reason.REJECTED_BY_SERVER, message=text)


def _orphans(batch: Batch, switch: swaps.Switch) -> bool:
    """Put back what was given up for an heir that did not come about; tell whether there was any."""
    lost: dict[str, str] = {}
    for change in batch.files:
        heir = next((one for one in change.heirs if one in batch.failed), None)
        if heir is not None and change.site and change.site not in batch.failed:
            lost[change.site] = f"site {heir}, which takes over, could not be installed: {batch.failed[heir][1]}"
    switch.back(lost)
    batch.failed.update({site: (Reason.HANDOVER_PENDING, why) for site, why in lost.items()})
    return bool(lost)


def _tested(batch: Batch, switch: swaps.Switch) -> Tested:
    idle = batch.reload is None and not any(swap.differs for swap in switch.swaps)
    if idle or batch.spec.test is None or batch.target.replaces(batch.changed(switch)):
        return Tested(ok=True, output="")
    return batch.test([swap.path for swap in switch.swaps])


def _left(batch: Batch, switch: swaps.Switch) -> list[str]:
    return sorted({swap.site for swap in switch.swaps if swap.differs} - batch.failed.keys())


def _isolated(batch: Batch, switch: swaps.Switch, tested: Tested) -> Verdict:
    return Isolation(switch, lambda: _tested(batch, switch), batch.bench.clock).search(_left(batch, switch), tested)


def _judge_test(batch: Batch, switch: swaps.Switch, tested: Tested) -> Tested | None:
    """Hold the sites that broke the test; give the test if the target was broken before us.

    Where it is broken without the batch's files, what is live may be at fault, or what stands there unusable.
    """
    if tested.ok:
        return None
    verdict = _isolated(batch, switch, tested)
    if verdict.broken is not None and (give_way(batch) or expel(batch, switch)):
        switch.forward(_left(batch, switch))
        again = _tested(batch, switch)
        verdict = Verdict() if again.ok else _isolated(batch, switch, again)
    for site, output in verdict.bad:
        batch.failed[site] = (Reason.REJECTED_BY_SERVER, in_one_line(output))
    return verdict.broken
