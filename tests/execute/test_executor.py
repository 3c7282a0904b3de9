from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.one_cpu import OneCpu
from reconciler.errors import Failed, HeldBy, StoreError, Waiting
from reconciler.execute.executor import Executor, Pace
from reconciler.model.changes import Change, Plan, Verb
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Declared
from tests.builders import SteadyClock
from tests.execute.plans import chain, done, install, issue, reload
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOTHING = Declared(frozenset(), {})


@dataclass
class Doer:
    """Does what `steps[site]` says, else succeeds; keeps the order of all that was begun."""

    steps: dict[str, Callable[[Change], Outcome]] = field(default_factory=dict)
    batch: Callable[[str, Sequence[Change]], Sequence[Outcome]] | None = None
    full: bool = False
    begun: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    batches: list[list[Change]] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)
    clock: SteadyClock = field(default_factory=SteadyClock)

    def run(self, plan: Plan, pace: Pace | None = None) -> dict[str, Outcome]:
        return {outcome.change.id: outcome for outcome in self.executor(pace or Pace(4))(plan, NOTHING)}

    def executor(self, pace: Pace) -> Executor:
        return Executor(self, self._batch, self.clock, pace, self._on_bug)

    def _on_bug(self, change: Change, bug: Exception) -> None:
        del change
        self.bugs.append(bug)
        if self.full:
            raise OSError("the log is full")

    def skipped(self, ended: Outcome, declared: Declared) -> None:
        del declared
        if self.full:
            raise StoreError("the disk is full")
        self.skips.append(ended.change.id)

    def __call__(self, change: Change, declared: Declared) -> Outcome:
        del declared
        self.begun.append(change.id)
        return self.steps.get(change.site or "", done)(change)

    def _batch(self, target: str, changes: Sequence[Change], declared: Declared) -> Sequence[Outcome]:
        del declared
        self.batches.append(list(changes))
        return [done(one) for one in changes] if self.batch is None else self.batch(target, changes)


def raising(error: Exception) -> Callable[[Change], Outcome]:
    def step(_change: Change) -> Outcome:
        raise error

    return step


def test_empty_plan_ends_at_once() -> None:
    assert Doer().run(Plan()) == {}


def test_one_batch_with_one_reload_after_all_certificates() -> None:
    plan, doer = chain("a", "b", "c"), Doer()
    outcomes = doer.run(plan)
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert [[one.verb for one in batch] for batch in doer.batches] == [[*[Verb.INSTALL] * 3, Verb.RELOAD]]


def test_failure_of_one_site_stops_no_other() -> None:
    for error, reason in (
        (Failed("ChallengeFailed", "no"), "ChallengeFailed"),
        (HeldBy("site a", 1, "run", "now"), "HeldBy"),
        (ZeroDivisionError("a bug"), "Bug"),
    ):
        plan, doer = chain("a", "b"), Doer({"a": raising(error)})
        outcomes = doer.run(plan)
        statuses = [(outcomes[change.id].status, outcomes[change.id].reason) for change in plan.changes]
        assert statuses == [
            (Status.FAILED, reason),
            (Status.DONE, ""),
            (Status.SKIPPED, "DependencyFailed"),
            (Status.DONE, ""),
            (Status.DONE, ""),
        ]
        assert doer.bugs == ([error] if reason == "Bug" else [])


def test_skip_that_cannot_be_remembered_hangs_nobody() -> None:
    plan, doer = chain("a"), Doer({"a": raising(Failed("ChallengeFailed", "no"))}, full=True)
    assert len(doer.run(plan)) == 3
    doer.full = False
    doer.run(plan)
    assert doer.skips == [change.id for change in plan.changes[1:]]


def test_what_is_done_beside_the_plan_is_told_before_its_end() -> None:
    other = Outcome(install("z"), Status.FAILED, "TakenOut", "it was in the way", beside=True)
    doer = Doer(batch=lambda _target, changes: [*(done(one) for one in changes), other])
    plan = chain("a")
    outcomes = doer.run(plan)
    assert list(outcomes) == [plan.changes[0].id, other.change.id, *(one.id for one in plan.changes[1:])]


def test_bug_in_a_batch_is_told_for_each_of_its_changes() -> None:
    def batch(_target: str, _changes: Sequence[Change]) -> Sequence[Outcome]:
        raise KeyError("bug")

    plan, doer = chain("a"), Doer(batch=batch)
    outcomes = doer.run(plan)
    assert [outcomes[change.id].reason for change in plan.changes] == ["", "Bug", "Bug"]
    assert len(doer.bugs) == 1


def test_bug_that_cannot_be_told_hangs_nobody() -> None:
    plan, doer = chain("a"), Doer({"a": raising(ZeroDivisionError("a bug"))}, full=True)
    outcomes = doer.run(plan)
    assert [outcomes[change.id].reason for change in plan.changes] == ["Bug", "DependencyFailed", "DependencyFailed"]
    assert len(doer.bugs) == 1


@pytest.mark.parametrize(("sites", "shared"), [(("a",), False), (("a", "b", "c"), True)], ids=["one", "several"])
def test_workers_share_a_cpu_where_there_are_several(sites: tuple[str, ...], *, shared: bool) -> None:
    cpus = os.sched_getaffinity(0)
    seen: list[frozenset[int]] = []

    def look(change: Change) -> Outcome:
        seen.append(frozenset(os.sched_getaffinity(0)))
        return done(change)

    doer = Doer(dict.fromkeys(sites, look))
    doer.run(chain(*sites))
    assert len(set(seen)) == 1
    assert len(seen[0]) == (1 if shared and OneCpu().shared else len(cpus))
    assert os.sched_getaffinity(0) == cpus


def test_batch_that_forgets_a_change_does_not_hang() -> None:
    plan, doer = chain("a"), Doer(batch=lambda _target, changes: [done(one) for one in changes[:1]])
    outcomes = doer.run(plan)
    assert {outcomes[change.id].status for change in plan.changes} == {Status.DONE, Status.FAILED}


def test_order_in_flight_is_asked_again_and_others_go_on_meanwhile() -> None:
    tries = []

    def wait(change: Change) -> Outcome:
        tries.append(change)
        if len(tries) < 3:
            raise Waiting("InFlight", "the CA thinks", datetime.now(UTC) + timedelta(seconds=0.05))
        return done(change)

    plan, doer = chain("a", "b"), Doer({"a": wait})
    outcomes = doer.run(plan, Pace(1))
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert doer.begun.index(plan.changes[1].id) == 1, "b is not kept waiting by a"


@pytest.mark.parametrize("together", [True, False])
def test_an_issuer_that_does_not_answer_keeps_no_other_waiting(*, together: bool) -> None:
    """Neither in its plan, nor in one that comes while it is asked."""
    release, begun = threading.Event(), threading.Semaphore(0)

    def hang(change: Change) -> Outcome:
        begun.release()
        assert release.wait(10)
        return done(change)

    silent = [replace(issue(f"s{number}"), issuer="silent") for number in range(9)]
    other = replace(issue("other"), issuer="other", rank=3)
    doer = Doer({one.site or "": hang for one in silent})
    executor = doer.executor(Pace(3))
    ended: list[Outcome] = []

    def run(*changes: Change) -> threading.Thread:
        thread = threading.Thread(target=lambda: ended.extend(executor(Plan(changes), NOTHING)))
        thread.start()
        return thread

    threads = [run(*silent, other)] if together else [run(*silent)]
    for _ in range(3):
        assert begun.acquire(timeout=10)
    threads += [] if together else [run(other)]
    until(lambda: other.id in doer.begun, "the other issuer is asked")
    assert not begun.acquire(blocking=False), "the silent one is asked by three at once"
    release.set()
    for thread in threads:
        thread.join(10)
    assert {one.status for one in ended} == {Status.DONE}
    assert len(ended) == 10


def test_wait_beyond_the_patience_ends_the_change() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    plan = chain("a")
    outcomes = Doer({"a": raising(Waiting("InFlight", "later", later))}).run(plan, Pace(1, patience=1))
    assert outcomes[plan.changes[0].id].again == later
    assert {outcome.status for outcome in outcomes.values()} == {Status.WAITING}


def test_what_is_urgent_is_begun_first() -> None:
    changes = [issue(f"s{number}", rank=3 - number % 4) for number in range(12)]
    doer = Doer()
    doer.run(Plan(tuple(changes)), Pace(1))
    ranks = {change.id: change.rank for change in changes}
    assert [ranks[name] for name in doer.begun] == sorted(ranks.values())


def test_stop_skips_what_was_not_begun() -> None:
    doer = Doer()

    def stop(change: Change) -> Outcome:
        doer.clock.stop()
        return done(change)

    doer.steps["a"] = stop
    plan = chain("a", "b", "c")
    outcomes = doer.run(plan, Pace(1))
    assert outcomes[plan.changes[0].id].status is Status.DONE
    rest = {outcomes[change.id].reason for change in plan.changes[1:]}
    assert rest == {"Stopped"}
    assert doer.batches == []


def test_gathering_starts_a_batch_without_the_slow_ones() -> None:
    release = threading.Event()

    def slow(change: Change) -> Outcome:
        release.wait(10)
        return done(change)

    def batch(_target: str, changes: Sequence[Change]) -> Sequence[Outcome]:
        release.set()
        return [done(one) for one in changes]

    plan, doer = chain("a", "slow"), Doer({"slow": slow}, batch)
    outcomes = doer.run(plan, Pace(2, gather=True))
    assert [[one.site for one in parts] for parts in doer.batches] == [["a", None]]
    assert outcomes[plan.changes[3].id].reason == "NoLongerPlanned"


def test_targets_do_not_wait_for_each_other() -> None:
    started = threading.Barrier(2, timeout=10)

    def batch(_target: str, changes: Sequence[Change]) -> Sequence[Outcome]:
        started.wait()
        return [done(one) for one in changes]

    web, mail = install("a"), install("a", target="mail")
    outcomes = Doer(batch=batch).run(Plan((web, mail, reload(web), reload(mail, target="mail"))))
    assert len(outcomes) == 4


def test_batches_that_wait_for_each_other_in_a_circle_are_begun_with_what_may_begin() -> None:
    mail = reload(install("c", target="mail"), install("d", target="mail"), target="mail")
    web = (install("a"), install("b", mail))
    first = reload(*web)
    plan = Plan((*web, first, install("c", target="mail"), install("d", first, target="mail"), mail))
    doer = Doer()
    outcomes = doer.run(plan)
    assert [[one.site for one in parts] for parts in doer.batches] == [["c", None], ["a", "b", None]]
    assert {one.reason for one in outcomes.values() if one.status is not Status.DONE} == {"NoLongerPlanned"}
    assert sum(one.status is Status.DONE for one in outcomes.values()) == 5


def test_changes_that_wait_for_themselves_hang_nobody() -> None:
    one, other = issue("a", issue("b")), issue("b", issue("a"))
    outcomes = Doer().run(Plan((one, other, issue("c"))))
    assert [outcomes[change.id].reason for change in (one, other)] == ["Bug", "DependencyFailed"]
    assert "site/a waits for itself" in outcomes[one.id].message
