"""The proof of a reload: what a server shows by handshake is judged, and what got worse by it goes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches.before import expected_of, had_it, owners_of
from reconciler.execute.batches.setbacks.pointers import of_proof
from reconciler.execute.batches.setbacks.rejecting import tried_again
from reconciler.execute.batches.setbacks.retreat import Retreat
from reconciler.execute.probes import handshakes
from reconciler.model.changes import Reason
from reconciler.model.names import Switch as Mode
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.before import Before
    from reconciler.execute.batches.switching.swap import Switch
    from reconciler.execute.probes.judging import Answer, Expected, Key
    from reconciler.model.changes import Change
    from reconciler.model.ports import Activated

    Seen = tuple[list[Expected], Mapping[Key, Answer]]

_MOVES: Final = 3
_LOST: Final = frozenset({Reason.NOT_INCLUDED, Reason.NAME_SERVED_ELSEWHERE, Reason.NOTHING_LISTENS})


def looked(batch: Batch) -> list[Outcome]:
    """Ask once what the server shows of the batch's sites, and remember it; nothing is written or reloaded."""
    names = [change.site for change in batch.changes if change.site in batch.seats and change.site]
    batch.live = batch.bench.store.live(batch.seats)
    expected, seen = shown(batch, names, 0.0)
    return [_looked(batch, change, expected, seen) for change in batch.changes]


def _looked(batch: Batch, change: Change, expected: Sequence[Expected], seen: Mapping[Key, Answer]) -> Outcome:
    own = {one.key: seen[one.key] for one in expected if one.site == change.site}
    bad = batch.bench.memory.served(batch.spec, [batch.concerned(change.site or "")], batch.live, own)
    if bad is None:
        return Outcome(change, Status.DONE, message="seen served" if own else "")
    return Outcome(change, Status.FAILED, bad.reason, bad.message, again=_again(batch, [change.site or ""]))


def _again(batch: Batch, sites: Sequence[str]) -> datetime | None:
    """Give when the first of these sites is looked at again."""
    remembered = batch.bench.store.memory(sites).values()
    found = (one.failures.get(f"target/{batch.name}") for one in remembered)
    return min((one.next_attempt for one in found if one and one.next_attempt), default=None)


@dataclass(frozen=True, slots=True)
class Proof:
    """Of which sites, what answered before, how long one looks (at `closed` ports), `how`; what was wanted and seen."""

    sites: Sequence[str]
    before: Before
    seconds: float
    closed: float
    how: str
    expected: Sequence[Expected]
    seen: Mapping[Key, Answer]


def judge(batch: Batch, switch: Switch, proof: Proof, reloaded: Callable[[], Activated]) -> Outcome:
    """Give the reload's outcome; `reloaded` makes the server take up what is put back.

    A stop cuts the looks short, maybe before the server had read what is new: of that nothing is concluded.
    """
    reload = batch.reload or batch.changes[0]
    expected, seen = proof.expected, proof.seen
    if _is_cut_short(batch, seen):
        text = "stopped before all of it was seen served; the next pass looks again"
        return Outcome(reload, Status.SKIPPED, "Stopped", text)
    worse = _worse(batch, expected, seen, proof.before)
    retreat = Retreat(batch, switch, of_proof(batch, proof.sites if worse else ()), reloaded)
    while worse and retreat.back(worse):
        left = [name for name in proof.sites if not retreat.is_put_back(name)]
        expected, seen = shown(batch, left, proof.seconds, proof.closed)
        if _is_cut_short(batch, seen):
            seen = {}
            break
        worse = _worse(batch, expected, seen, proof.before)
    left = [name for name in proof.sites if not retreat.is_put_back(name)]
    bad = batch.bench.memory.served(batch.spec, [batch.concerned(name) for name in left], batch.live, seen)
    if retreat.gone:
        ended = all(answer.reason is Reason.NOTHING_LISTENS for answer in seen.values()) and bool(seen)
        unserved = {name for (name, *_), answer in seen.items() if answer.reason != Reason.SERVED}
        return retreat.told(unserved, ended=ended)
    if bad and batch.spec.verify.mode is Mode.ENFORCE:
        late = bad.reason == Reason.OLD_CERTIFICATE_SERVED
        text = f"{bad.message}, {proof.seconds:.0f} s after the reload" if late else bad.message
        return Outcome(reload, Status.FAILED, bad.reason, text, again=_again(batch, left))
    return Outcome(reload, Status.DONE, message=proof.how + (", and seen served" if expected and not bad else ""))


def _is_cut_short(batch: Batch, seen: Mapping[Key, Answer]) -> bool:
    return batch.bench.clock.stopping() and any(answer.reason is not Reason.SERVED for answer in seen.values())


def shown(batch: Batch, sites: Sequence[str], seconds: float, closed: float = math.inf) -> Seen:
    """Ask for each site's certificate; where another process moved `live` meanwhile, for the one that is live now.

    But not of copies: those are of the certificate that was live when the batch began.
    """
    left = _MOVES
    while True:
        expected = [one for name in sites for one in expected_of(batch, name)]
        seen = handshakes.prove(expected, owners_of(batch), batch.bench.clock, seconds, closed)
        left -= 1
        right = all(answer.reason == Reason.SERVED for answer in seen.values())
        live = {} if right or batch.target.copies else batch.bench.store.live(sites)
        if not left or all(batch.live.get(name) == now for name, now in live.items()):
            return expected, seen
        batch.live = {**batch.live, **live}


def _worse(
    batch: Batch,
    expected: Sequence[Expected],
    seen: Mapping[Key, Answer],
    before: Before,
) -> dict[str, str]:
    """Give a sentence for each site whose port answered TLS and no longer does, or whose name lost its certificate.

    Where nothing or a stranger answered before this reload, nothing got worse by it; but what was refused before must
    be seen.
    """
    found: dict[str, str] = {}
    remembered = batch.bench.store.memory({one.site for one in expected})
    again = tried_again(batch, remembered)
    alive = {one.probe.port for one in expected if seen[one.key].fingerprint is not None}
    for one in expected:
        answer = seen[one.key]
        if one.site in again and answer.reason is Reason.NOTHING_LISTENS:
            found.setdefault(one.site, f"after the reload {answer.message}")
        if (one.probe.address, one.probe.port) not in before.answering or answer.reason is Reason.NOT_YET_SEEN:
            continue
        had = one.key not in before.astray and had_it(batch, remembered[one.site], one)
        if one.probe.port not in alive or (had and answer.reason in _LOST):
            found.setdefault(one.site, f"after the reload {answer.message}")
    return found
