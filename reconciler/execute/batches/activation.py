"""The second half of a batch: what is in place is taken up by the server, by a reload if need be, noted, and proven."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches import amiss, bookkeeping
from reconciler.execute.batches.before import has_to_load, verifies
from reconciler.execute.batches.proof import Proof, judge, shown
from reconciler.execute.batches.setbacks.rejecting import give_back
from reconciler.model.changes import Reason
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Activated

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.before import Before
    from reconciler.execute.batches.proof import Seen
    from reconciler.execute.batches.switching.swap import Switch
    from reconciler.model.changes import Change

_PROOF_SECONDS: Final = 8.0
_NOTHING_ANSWERED: Final = 3.0
# these keep their sockets through a reload: where all refuse, the server has ended, or somebody restarts it instead
_KEEPS_LISTENING: Final = frozenset({"apache", "nginx"})
_CLOSED_SECONDS: Final = 2.0
_START_OF_A_SITE: Final = 0.004  # seconds, twice what Apache takes
_RELOADED: Final = Activated(ok=True, output="").how
_REPLACED_SECONDS: Final = 2.0
# whatever we do while a server reads its configuration takes the processor and the disk from it
_TAKING_UP: Final = 0.05


def taken_up(batch: Batch, switch: Switch, first: Callable[[], object] = lambda: None) -> Activated | None:
    """Let the server take up what it takes without its test and a reload; None where both are needed.

    `first` is done right before it.
    """
    changed = batch.changed(switch)
    if batch.reload is None or batch.spec.reload.command is None or not batch.target.replaces(changed):
        return None
    first()
    answer = batch.target.activate(batch.bench.hands, changed)
    batch.in_full = not answer.ok
    return answer if answer.ok else None


def activate(batch: Batch, switch: Switch, reload: Change, before: Before, taken: Activated | None = None) -> Outcome:
    """Make the server take up what is in place, and prove it; the outcome is the reload's.

    `before` is what was served until now; `taken` tells that the server took up all of it already.
    """
    sites = [name for name in _affected(batch) if name not in batch.failed]
    started = batch.bench.clock.monotonic()
    answer = taken if taken is not None else _reloaded(batch, switch)
    if answer.ok and answer.how == _RELOADED:
        batch.bench.clock.wait(_TAKING_UP)
    if answer.ok and taken is None:
        answer, sites = _once_more(batch, switch, answer, sites)
    bookkeeping.keep(batch, switch, loaded=answer.ok, sites=sites)
    if not answer.ok:
        outcome = bookkeeping.not_reloaded(batch, reload, answer)
        give_back(batch, sites, outcome.message)
        return outcome
    if not verifies(batch):
        batch.bench.memory.taken_up(batch.spec, sites, batch.live)
        return Outcome(reload, Status.DONE, message=answer.how)
    quick = None if answer.how == _RELOADED else shown(batch, sites, _REPLACED_SECONDS)
    if quick is not None and _is_old(quick):
        answer = _in_full(batch, switch, answer)
    taking = 3 * (batch.bench.clock.monotonic() - started)
    seconds = (_PROOF_SECONDS if before.answering else _NOTHING_ANSWERED) + taking
    closed = _closed_after(batch) + taking if before.answering else math.inf
    seen = quick if quick is not None and _is_right(quick) else shown(batch, sites, seconds, closed)
    proof = Proof(sites, before, seconds, closed, answer.how, *seen)
    return judge(batch, switch, proof, lambda: _reloaded(batch, switch))


def _once_more(batch: Batch, switch: Switch, answer: Activated, sites: list[str]) -> tuple[Activated, list[str]]:
    """Put back what somebody changed while the server was tested and reloaded, and reload once more.

    Where that fails these sites count as not loaded.
    """
    late = amiss.put_back(batch, switch)
    if not late:
        return answer, sites
    amiss.keep(batch)
    again = _in_full(batch, switch, Activated(ok=False, output=""))
    if again.ok:
        return again, sorted(late | {name for name in _affected(batch) if name not in batch.failed} - {""})
    return answer, [name for name in sites if name not in late]


def _closed_after(batch: Batch) -> float:
    """Give for how many seconds all ports may refuse connections until the server counts as ended."""
    if batch.spec.type not in _KEEPS_LISTENING:
        return math.inf
    return _CLOSED_SECONDS + _START_OF_A_SITE * len(batch.bench.store.installed_on(batch.name))


def _reloaded(batch: Batch, switch: Switch) -> Activated:
    if batch.spec.reload.command is None:
        return Activated(ok=True, output="")
    known = batch.in_full
    taken = taken_up(batch, switch)
    if taken is not None:
        return taken
    if batch.in_full and not known:
        return _in_full(batch, switch, Activated(ok=False, output="what was put back was not taken up"))
    return batch.target.activate(batch.bench.hands, batch.changed(switch))


def _is_old(quick: Seen) -> bool:
    """Tell whether an earlier certificate is still served although the new one was taken up without a reload.

    A running process may not have noticed: Postfix compares times of the map by the second.
    """
    return any(answer.reason is Reason.OLD_CERTIFICATE_SERVED for answer in quick[1].values())


def _is_right(quick: Seen) -> bool:
    return all(answer.reason is Reason.SERVED for answer in quick[1].values())


def _in_full(batch: Batch, switch: Switch, former: Activated) -> Activated:
    """Test and reload; where that fails the former answer stands, and the proof tells what is served."""
    if batch.spec.test is not None and not batch.test([swap.path for swap in switch.swaps]).ok:
        return former
    again = batch.target.activate(batch.bench.hands, ())
    return again if again.ok else former


def _affected(batch: Batch) -> list[str]:
    """Give the sites that this reload concerns: in the batch, with something not loaded, or not seen served yet."""
    touched = {change.site for change in batch.files if change.site}
    behind = [name for name in batch.seats if has_to_load(batch, name)]
    wanted = {*behind, *_unproven(batch)} - touched
    return sorted(touched | (wanted - _absent(batch, wanted) - _to_come(batch, wanted)))


def _absent(batch: Batch, names: set[str]) -> set[str]:
    """Give the sites that have files here and are not installed yet, which another process or pass may do."""
    unknown = [name for name in sorted(names) if not batch.entry(name).files and batch.entry(name).loaded is None]
    rendered = batch.target.render([batch.seats[name] for name in unknown]) if unknown else {}
    return {name for name, files in rendered.items() if files != ()}


def _to_come(batch: Batch, names: set[str]) -> set[str]:
    """Give the sites whose copies here are of an earlier certificate: the new one is another batch's to install."""
    return {name for name in names if _differs(batch, name)}


def _differs(batch: Batch, name: str) -> bool:
    return any(file.revision not in (None, batch.live_id(name)) for file in batch.entry(name).files)


def _unproven(batch: Batch) -> list[str]:
    """Give the sites that were not yet seen serving what is live: this reload may be made for their sake alone."""
    if not verifies(batch):
        return []
    remembered = batch.bench.store.memory(batch.seats)
    served = {name: memory.served.get(batch.name) for name, memory in remembered.items()}
    return [
        name
        for name, seen in served.items()
        if batch.live_id(name) and (seen is None or not seen.ok or seen.revision != batch.live_id(name))
    ]
