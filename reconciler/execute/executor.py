"""Runs a plan: site changes on workers by rank, the changes of a target as one batch, each after what comes before."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import queue
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.doors.one_cpu import OneCpu
from reconciler.errors import CertwrightError, Failed, Waiting
from reconciler.execute.schedule import Schedule, is_of_target
from reconciler.model.changes import Change, Plan, Reason, Verb
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.ports import Clock, Declared

_GATHER: Final = 0.5


class Steps(Protocol):
    """What one site change does; raises what `errors` lists."""

    def __call__(self, change: Change, declared: Declared) -> Outcome:
        """Do it."""
        ...

    def skipped(self, ended: Outcome, declared: Declared) -> None:
        """Hear that it was not begun because something before it failed."""
        ...


class Batches(Protocol):
    """What one batch of a target does; never raises for what a server or a disk can cause."""

    def __call__(self, target: str, changes: Sequence[Change], declared: Declared) -> Sequence[Outcome]:
        """Do it."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How an executor works: `workers` at once for each issuer; `patience` seconds that a site may wait in this run.

    `gather`: start a target's batch half a second after its first part is ready and leave the rest to the next pass
    (the watch loop); False waits for all parts (`apply` reloads once, at its end).
    """

    workers: int = 8
    patience: float = 300.0
    gather: bool = False


@dataclass(slots=True)
class _State:
    """What the threads of one run share, under `lock`."""

    book: Schedule
    declared: Declared
    lock: threading.Condition = field(default_factory=threading.Condition)
    heaps: defaultdict[str, list[tuple[float, int, int, Change]]] = field(default_factory=lambda: defaultdict(list))
    busy: set[str] = field(default_factory=set)
    working: int = 0
    first_ready: dict[str, float] = field(default_factory=dict)
    outcomes: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)
    number: Iterator[int] = field(default_factory=itertools.count)
    cpu: OneCpu | None = None


class Executor:
    """Executes plans; one object may serve several at once, and they share its number of workers.

    What asks an issuer is done in a lane of its own, so that a CA which does not answer keeps nobody else waiting.
    """

    def __init__(
        self, steps: Steps, batches: Batches, clock: Clock, pace: Pace, on_bug: Callable[[Change, Exception], None]
    ) -> None:
        """`on_bug` is told of an exception that no failure of the tree explains; the site's outcome is then `Bug`."""
        self._steps, self._batches, self._clock, self._pace, self._on_bug = steps, batches, clock, pace, on_bug
        self._seats: dict[str, threading.BoundedSemaphore] = {}
        self._seating = threading.Lock()

    def __call__(self, plan: Plan, declared: Declared) -> Iterator[Outcome]:
        """Do the plan; outcomes come as changes end. When asked to stop, what was not begun is skipped."""
        state = _State(Schedule(plan), declared)
        with state.lock:
            self._push(state, state.book.ready())
        lanes = Counter(_lane(change) for change in plan.changes if not is_of_target(change))
        crews = [(lane, min(self._pace.workers, count)) for lane, count in lanes.items()]
        state.cpu = OneCpu(self._clock.monotonic) if sum(size for _, size in crews) > 1 else None
        threads = [self._start(self._work, state, lane) for lane, size in crews for _ in range(size)]
        threads.append(self._start(self._watch_batches, state))
        left = len({change.id for change in plan.changes})
        while left:
            outcome = state.outcomes.get()
            yield outcome
            left -= not outcome.beside
        for thread in threads:
            thread.join()

    @staticmethod
    def _start(work: Callable[..., None], *given: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=given, daemon=True, name=f"certwright-{work.__name__.strip('_')}")
        thread.start()
        return thread

    def _push(self, state: _State, changes: Sequence[Change], at: float = 0.0) -> None:
        for change in changes:
            heapq.heappush(state.heaps[_lane(change)], (at, change.rank, next(state.number), change))
        state.lock.notify_all()

    def _seat(self, lane: str) -> threading.BoundedSemaphore:
        with self._seating:
            return self._seats.setdefault(lane, threading.BoundedSemaphore(self._pace.workers))

    def _work(self, state: _State, lane: str) -> None:
        while (change := self._take(state, lane)) is not None:
            if state.cpu is not None:
                state.cpu.join()
            with self._seat(lane):
                outcome = self._guarded(change, state.declared)
            with state.lock:
                state.working -= 1
                if not self._again(state, outcome):
                    self._finish(state, outcome)

    def _take(self, state: _State, lane: str) -> Change | None:
        with state.lock:
            heap = state.heaps[lane]
            while state.book.pending():
                if self._clock.stopping():
                    self._abandon(state)
                    return None
                if heap and heap[0][0] <= self._clock.monotonic():
                    state.working += 1
                    return heapq.heappop(heap)[3]
                pause = heap[0][0] - self._clock.monotonic() if heap else 1.0
                state.lock.wait(timeout=min(max(pause, 0.001), 1.0))
            return None

    def _guarded(self, change: Change, declared: Declared) -> Outcome:
        try:
            return self._steps(change, declared)
        except Waiting as wait:
            return Outcome(change, Status.WAITING, wait.reason, str(wait), again=wait.until)
        except Failed as failure:
            # what comes after an account that cannot be had waits as long as the CA wishes
            again = failure.until if change.verb is Verb.REGISTER else None
            return Outcome(change, Status.FAILED, failure.reason, str(failure), again, blame=failure.blame)
        except CertwrightError as failure:
            return Outcome(change, Status.FAILED, getattr(failure, "reason", type(failure).__name__), str(failure))
        except Exception as bug:  # noqa: BLE001  the border of one site: a bug here must not stop the others
            self._tell_bug(change, bug)
            return Outcome(
                change, Status.FAILED, Reason.BUG, f"{type(bug).__name__} in {change.verb}; this is a bug of certwright"
            )

    def _tell_bug(self, change: Change, bug: Exception) -> None:
        """Tell of a bug; who is told must not end the thread that all wait for."""
        with contextlib.suppress(Exception):
            self._on_bug(change, bug)

    def _again(self, state: _State, outcome: Outcome) -> bool:
        """Put a change that waits a short time back on the heap."""
        if outcome.status is not Status.WAITING or outcome.again is None or outcome.reason != Reason.IN_FLIGHT:
            return False
        pause = (outcome.again - self._clock.now()).total_seconds()
        if pause > self._pace.patience or self._clock.stopping():
            return False
        self._push(state, [outcome.change], at=self._clock.monotonic() + max(pause, 0.0))
        return True

    def _finish(self, state: _State, outcome: Outcome) -> None:
        self._tell(state, self._ended(state, outcome))

    def _ended(self, state: _State, outcome: Outcome) -> Sequence[Outcome]:
        started, ended = state.book.finish(outcome)
        for one in ended:
            if one is not outcome and one.reason in (Reason.DEPENDENCY_FAILED, Reason.RATE_LIMITED):
                self._note_skipped(one, state.declared)
        self._push(state, started)
        return ended

    @staticmethod
    def _tell(state: _State, ended: Sequence[Outcome]) -> None:
        for one in ended:
            state.outcomes.put(one)

    def _note_skipped(self, one: Outcome, declared: Declared) -> None:
        """Let it be remembered; a store that cannot be written must not end the thread that all wait for."""
        try:
            self._steps.skipped(one, declared)
        except CertwrightError:
            return  # what it rests on has failed and is told
        except Exception as bug:  # noqa: BLE001  the border of one site
            self._tell_bug(one.change, bug)

    def _abandon(self, state: _State) -> None:
        """Skip all that was not begun: the stop flag is set."""
        for heap in list(state.heaps.values()):
            while heap:
                change = heapq.heappop(heap)[3]
                self._finish(state, Outcome(change, Status.SKIPPED, "Stopped", "stopped before it began"))
        for target, changes in state.book.batches():
            if target not in state.busy:
                for change in changes:
                    self._finish(state, Outcome(change, Status.SKIPPED, "Stopped", "stopped before it began"))
        state.lock.notify_all()

    def _watch_batches(self, state: _State) -> None:
        running: list[threading.Thread] = []
        with state.lock:
            while state.book.pending():
                if self._clock.stopping():
                    self._abandon(state)
                for target, changes in self._due(state):
                    state.busy.add(target)
                    worker = threading.Thread(target=self._batch, args=(state, target, changes), daemon=True)
                    running.append(worker)
                    worker.start()
                state.lock.wait(timeout=0.1)
        for worker in running:
            worker.join()

    def _due(self, state: _State) -> list[tuple[str, tuple[Change, ...]]]:
        due = {target: parts for target, parts in reversed(state.book.batches()) if target not in state.busy}
        hastened = self._gathered(state, due) if self._pace.gather else []
        for target in hastened or self._crossed(state, due):
            parts, skipped = state.book.hasten(target)
            for outcome in skipped:
                self._finish(state, outcome)
            if parts:
                due[target] = parts
        return list(due.items())

    def _crossed(self, state: _State, due: dict[str, tuple[Change, ...]]) -> list[str]:
        """Give the target to begin with where nothing goes on, as batches wait for each other in a circle.

        No plan should be like that; if one is, it ends all the same, and what is left is the next pass's.
        """
        if due or any(state.heaps.values()) or state.busy or state.working:
            return []
        ready = sorted(state.book.partly_ready())[:1]
        for change in () if ready else state.book.left():
            text = f"{change.verb} of {change.subject} waits for itself; this is a bug of certwright"
            self._finish(state, Outcome(change, Status.FAILED, Reason.BUG, text))
        return ready

    def _gathered(self, state: _State, due: dict[str, tuple[Change, ...]]) -> list[str]:
        """Give the targets whose first part has been ready for the gathering time while others still wait."""
        now = self._clock.monotonic()
        ready = state.book.partly_ready() - due.keys() - state.busy
        for target in ready:
            state.first_ready.setdefault(target, now)
        return [target for target in ready if now - state.first_ready[target] >= _GATHER]

    def _batch(self, state: _State, target: str, changes: Sequence[Change]) -> None:
        outcomes = self._guarded_batch(target, changes, state.declared)
        with state.lock:
            state.busy.discard(target)
            state.first_ready.pop(target, None)
            # noted first is the reload, which a failed install must not skip after the fact; told last, as it came last
            beside = [outcome for outcome in outcomes if outcome.beside]
            planned = (outcome for outcome in outcomes if not outcome.beside)
            noted = sorted(planned, key=lambda outcome: outcome.change.verb is not Verb.RELOAD)
            ended = [one for outcome in noted for one in self._ended(state, outcome)]
            self._tell(state, beside)  # before the last of the plan, with which who listens goes
            self._tell(state, sorted(ended, key=lambda one: one.change.verb is Verb.RELOAD))

    def _guarded_batch(self, target: str, changes: Sequence[Change], declared: Declared) -> Sequence[Outcome]:
        try:
            outcomes = self._batches(target, changes, declared)
        except CertwrightError as failure:
            reason = getattr(failure, "reason", type(failure).__name__)
            return [Outcome(change, Status.FAILED, reason, str(failure)) for change in changes]
        except Exception as bug:  # noqa: BLE001  the border of one target
            self._tell_bug(changes[0], bug)
            text = f"{type(bug).__name__} in a batch of {target}; this is a bug of certwright"
            return [Outcome(change, Status.FAILED, Reason.BUG, text) for change in changes]
        told = {outcome.change.id for outcome in outcomes}
        text = f"nothing was said of it by the batch of {target}; this is a bug of certwright"
        return [*outcomes, *(Outcome(one, Status.FAILED, Reason.BUG, text) for one in changes if one.id not in told)]


def _lane(change: Change) -> str:
    """Give the issuer that a change asks; empty for what asks none."""
    return change.issuer or "" if change.verb in (Verb.REGISTER, Verb.ISSUE) else ""
