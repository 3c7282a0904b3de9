from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from reconciler.execute.schedule import TARGET_VERBS, Schedule
from reconciler.model.changes import Change, Plan, Reason, Verb
from reconciler.model.outcomes import Outcome, Status
from tests.execute.plans import chain, change, done, failed, install, issue, reload

if TYPE_CHECKING:
    import pytest


def test_what_waits_for_nothing_is_ready_and_a_batch_needs_all_its_parts() -> None:
    plan = chain("a", "b")
    book = Schedule(plan)
    first, second = plan.changes[:2]
    assert book.ready() == [first, second]
    assert book.batches() == []
    book.finish(done(first))
    assert book.batches() == [], "b's certificate is still to come"
    book.finish(done(second))
    [(target, parts)] = book.batches()
    assert (target, parts[-1].verb, len(parts)) == ("web", Verb.RELOAD, 3)


def test_what_rests_on_a_failure_is_skipped_and_the_others_go_on() -> None:
    plan = chain("a", "b")
    book = Schedule(plan)
    _, ended = book.finish(failed(plan.changes[0]))
    assert [(one.change, one.status, one.reason) for one in ended[1:]] == [
        (plan.changes[2], Status.SKIPPED, "DependencyFailed")
    ]
    book.finish(done(plan.changes[1]))
    [(_, parts)] = book.batches()
    assert parts == (plan.changes[3], plan.changes[4])


def test_files_that_no_reload_follows_wait_for_no_certificate_that_waits_for_them() -> None:
    early = install("a")
    made = issue("a", early)
    late = replace(install("a", made), reason=Reason.CERTIFICATE_CHANGED)
    book = Schedule(Plan((early, made, late)))
    assert book.batches() == [("web", (early,))]
    started, _ = book.finish(done(early))
    assert started == [made]
    book.finish(done(made))
    assert book.batches() == [("web", (late,))]


def test_reload_is_lost_only_if_nothing_before_it_succeeded() -> None:
    plan = chain("a")
    book = Schedule(plan)
    _, ended = book.finish(failed(plan.changes[0]))
    assert [one.change for one in ended] == list(plan.changes)
    assert ended[1].message == ended[2].message == f"issue of site/a did not succeed: {ended[0].message}", "the cause"
    assert not book.pending()


def test_what_somebody_else_did_is_no_failure_further_down() -> None:
    plan = chain("a")
    skipped = Outcome(plan.changes[0], Status.SKIPPED, "NoLongerPlanned", "done by another process")
    _, ended = Schedule(plan).finish(skipped)
    assert {one.reason for one in ended} == {"NoLongerPlanned"}


def test_wait_is_handed_down_as_a_wait() -> None:
    plan = chain("a")
    _, ended = Schedule(plan).finish(Outcome(plan.changes[0], Status.WAITING, "RateLimited", "later"))
    assert {(one.status, one.reason) for one in ended} == {(Status.WAITING, "RateLimited")}
    assert [one.message for one in ended[1:]] == [
        "it comes after the issue of site/a, which waits",
        "it comes after the install of site/a, which waits",
    ]


def test_after_that_names_nothing_in_the_plan_is_no_hindrance() -> None:
    gone = issue("gone")
    one = issue("a", gone)
    assert Schedule(Plan((one,))).ready() == [one]


def test_installs_that_no_reload_follows_are_a_batch_a_target() -> None:
    first, second = install("a"), install("b")
    other = install("a", target="mail")
    book = Schedule(Plan((first, second, other)))
    found = {target: {part.id for part in parts} for target, parts in book.batches()}
    assert found == {"web": {first.id, second.id}, "mail": {other.id}}


def test_second_round_waits_for_the_first() -> None:
    early = install("a")
    first = reload(early)
    order = issue("a", first)
    late = replace(change(Verb.INSTALL, "site/a", order, target="web"), decided_on="second")
    second = replace(first, decided_on="second", after=(late.id,))
    book = Schedule(Plan((early, first, order, late, second)))
    assert book.batches() == [("web", (early, first))]
    book.finish(done(early))
    started, _ = book.finish(done(first))
    assert started == [order]
    book.finish(done(order))
    assert book.batches() == [("web", (late, second))]


def test_hastened_batch_takes_what_is_ready_and_leaves_the_rest_to_the_next_pass() -> None:
    plan = chain("a", "b")
    book = Schedule(plan)
    book.finish(done(plan.changes[0]))
    assert book.partly_ready() == {"web"}
    parts, skipped = book.hasten("web")
    assert parts == (plan.changes[2], plan.changes[4])
    assert [(one.change, one.reason) for one in skipped] == [(plan.changes[3], "NoLongerPlanned")]


def test_a_change_that_ends_costs_what_waits_for_it_in_a_plan_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = chain(*(f"s{number}" for number in range(500)))
    book, looked, judge = Schedule(plan), [], Schedule._may_hasten

    def counted(book: Schedule, one: Change) -> bool:
        looked.append(one)
        return judge(book, one)

    monkeypatch.setattr(Schedule, "_may_hasten", counted)
    book.finish(done(plan.changes[0]))
    assert book.partly_ready() == {"web"}
    assert looked == [plan.changes[500]]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Sites with a certificate or without, installs in up to two targets, reloads or none."""
    made: list[Change] = []
    for target in draw(st.sampled_from((("web",), ("web", "mail")))):
        installs = []
        for number in range(draw(st.integers(0, 4))):
            before = [issue(f"{target}{number}", rank=draw(st.integers(0, 3)))] if draw(st.booleans()) else []
            installs.append(install(f"{target}{number}", *before, target=target))
            made += [*before, installs[-1]]
        if draw(st.booleans()):
            made.append(reload(*installs, target=target))
    return Plan(tuple(made))


@given(plans(), st.data())
def test_each_change_ends_once_and_after_what_comes_before(plan: Plan, data: st.DataObject) -> None:
    book = Schedule(plan)
    ended: list[str] = []
    waiting = book.ready()
    while book.pending():
        batches = book.batches()
        assert book.partly_ready() == {
            one.target for one in book.left() if one.verb in TARGET_VERBS and book._may_hasten(one)
        }
        assert waiting or batches, "nothing may start and something is left"
        group = [waiting.pop(0)] if waiting else list(batches[0][1])
        for one in group:
            befores = {name for name in one.after if name in {other.id for other in plan.changes}}
            same = {other.id for other in group}
            assert befores <= set(ended) | same
        # a batch's reload ends first, as the executor has it
        for one in sorted(group, key=lambda one: one.verb is not Verb.RELOAD):
            outcome = done(one) if data.draw(st.booleans()) else failed(one)
            started, over = book.finish(outcome)
            waiting += started
            ended += [other.change.id for other in over]
    assert sorted(ended) == sorted(change.id for change in plan.changes)
    assert all(one.verb not in TARGET_VERBS for one in waiting)
