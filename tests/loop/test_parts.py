"""The loop's small parts, each by itself."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.loop.dealing import deal
from reconciler.loop.flights import Flight, Flights
from reconciler.loop.pulse import Pulse
from reconciler.loop.queue import Mailbox, Queue
from reconciler.loop.repeats import Repeats
from reconciler.loop.timers import Timers
from reconciler.loop.watch import Hint, Watcher, directories, gathered
from reconciler.model.changes import Change, Plan, PlannedFile, Reason, Verb
from reconciler.model.names import Part
from reconciler.model.observed import FileChange
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Declared
from tests.loop.street import OwnTime
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def change(verb: Verb, name: str, *after: Change, target: str | None = None) -> Change:
    site = None if verb is Verb.RELOAD else name
    return Change(verb, f"x/{name}", Reason.MISSING, "", after=tuple(one.id for one in after), site=site, target=target)


def left(plan: Plan) -> list[tuple[Verb, str]]:
    return [(one.verb, one.subject[2:]) for one in plan.changes]


# --- queue -----------------------------------------------------------------------------------------------------------


def test_a_name_in_flight_waits_and_comes_back_once() -> None:
    queue = Queue()
    queue.add(["one", "two", "one"])
    assert queue.take() == {"one", "two"}
    queue.begin({"one"})
    queue.add(["one", "three", "one"])
    assert queue.take() == {"three"}
    queue.end("one")
    assert queue.take() == {"one"}
    queue.end("one")
    assert not queue.ready


def test_what_is_done_beside_a_plan_frees_nothing_of_it() -> None:
    declared = Declared(frozenset({"one", "two"}), {})
    flight = Flight(Plan(), declared, Counter(one=1), Counter(web=2), {"web": frozenset({"one"})})
    flights, install = Flights(), change(Verb.INSTALL, "two", target="web")
    assert flights.came(flight, Outcome(install, Status.FAILED, "TakenOut", beside=True)) == (set(), {"two"})
    assert flight.targets == Counter(web=2)
    assert flights.end(flight) == ({"one"}, {"one"})


def test_word_from_another_thread_wakes_the_loop() -> None:
    mail: Mailbox[str] = Mailbox()
    threading.Timer(0.05, mail.post, ["word"]).start()
    began = time.monotonic()
    mail.wait(30)
    assert time.monotonic() - began < 5
    assert mail.collect() == ["word"]
    assert mail.collect() == []


# --- timers ----------------------------------------------------------------------------------------------------------


def test_the_earliest_word_wins_unless_it_is_taken_back() -> None:
    timers = Timers()
    timers.set("one", NOW + timedelta(hours=2))
    timers.sooner("one", NOW + timedelta(hours=3))
    timers.set("two", NOW + timedelta(hours=1))
    timers.set("two", None)
    assert timers.next() == (NOW + timedelta(hours=2), "one")
    assert timers.due(NOW + timedelta(hours=1)) == frozenset()
    assert timers.due(NOW + timedelta(hours=2)) == {"one"}
    assert timers.next() is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 50)), max_size=200), st.integers(0, 50))
def test_timers_give_what_a_table_gives(words: list[tuple[str, int | None]], until_: int) -> None:
    timers, table = Timers(), dict[str, int]()
    for name, minutes in words:
        timers.set(name, None if minutes is None else NOW + timedelta(minutes=minutes))
        table.pop(name, None)
        if minutes is not None:
            table[name] = minutes
    assert timers.due(NOW + timedelta(minutes=until_)) == {name for name, at in table.items() if at <= until_}
    assert len(timers) == sum(at > until_ for at in table.values())


def test_the_heap_does_not_grow_with_words() -> None:
    timers = Timers()
    for number in range(100_000):
        timers.set("one", NOW + timedelta(seconds=number))
    assert len(timers._heap) < 2000


# --- dealing ---------------------------------------------------------------------------------------------------------


def test_what_rests_on_a_certificate_is_left_to_the_pass_after_it_came() -> None:
    issue = change(Verb.ISSUE, "one")
    install = change(Verb.INSTALL, "one", issue, target="web")
    other = change(Verb.UNINSTALL, "gone", target="web")
    reload = change(Verb.RELOAD, "web", install, other, target="web")
    archive = change(Verb.ARCHIVE, "gone", reload)
    free = change(Verb.INSTALL, "two", target="mail")
    plan = Plan((issue, install, other, reload, archive, free))
    dealt = deal(plan, (), lambda _change: False)
    assert left(dealt.plan) == [(Verb.ISSUE, "one"), (Verb.INSTALL, "two")]
    assert {one.subject for one in dealt.later} == {"x/one", "x/gone", "x/web"}


def test_a_target_in_flight_takes_nothing_and_holds_up_what_needs_it() -> None:
    install = change(Verb.INSTALL, "one", target="web")
    reload = change(Verb.RELOAD, "web", install, target="web")
    issue = change(Verb.ISSUE, "one", reload)
    other = change(Verb.ISSUE, "two")
    dealt = deal(Plan((install, reload, issue, other)), {"web"}, lambda _change: False)
    assert left(dealt.plan) == [(Verb.ISSUE, "two")]
    assert [one.verb for one in dealt.later] == [Verb.ISSUE]


def test_what_goes_with_a_change_that_was_tried_is_told_apart_from_what_comes_at_once() -> None:
    tried = change(Verb.UNINSTALL, "gone", target="web")
    reload = change(Verb.RELOAD, "web", tried, target="web")
    archive = change(Verb.ARCHIVE, "gone", reload)
    issue = change(Verb.ISSUE, "one")
    install = change(Verb.INSTALL, "one", issue, target="mail")
    for lately in (tried, reload):
        dealt = deal(Plan((tried, reload, archive, issue, install)), (), lately.__eq__)
        assert left(dealt.plan) == [(Verb.ISSUE, "one")]
        assert {one.verb for one in dealt.behind} == {Verb.UNINSTALL, Verb.RELOAD, Verb.ARCHIVE} - {lately.verb}
        assert [one.verb for one in dealt.later] == [Verb.INSTALL]


def test_what_was_tried_lately_does_not_hold_up_its_neighbours_reload() -> None:
    tried = change(Verb.INSTALL, "one", target="web")
    install = change(Verb.INSTALL, "two", target="web")
    reload = change(Verb.RELOAD, "web", tried, install, target="web")
    dealt = deal(Plan((tried, install, reload)), (), lambda one: one is tried)
    assert left(dealt.plan) == [(Verb.INSTALL, "two"), (Verb.RELOAD, "web")]
    assert left(deal(Plan((tried, reload)), (), lambda one: one is tried).plan) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Verb)), st.sampled_from([None, "web", "mail"]), st.sets(st.integers(0, 19))),
        max_size=20,
    ),
    st.sets(st.sampled_from(["web", "mail"])),
)
def test_nothing_goes_before_what_it_rests_on(rows: list[tuple[Verb, str | None, set[int]]], taken: set[str]) -> None:
    changes: list[Change] = []
    for number, (verb, target, after) in enumerate(rows):
        before = [changes[one] for one in after if one < number]
        changes.append(change(verb, str(number), *before, target=target))
    kept = deal(Plan(tuple(changes)), taken, lambda _change: False).plan.changes
    ids = {one.id for one in kept}
    assert [one for one in changes if one.id in ids] == list(kept)
    assert not [one for one in kept if one.target in taken]
    for one in kept:
        assert one.verb is Verb.RELOAD or ids.issuperset(one.after)


# --- repeats ---------------------------------------------------------------------------------------------------------


def drifted(*paths: str) -> Change:
    files = tuple(PlannedFile(path, Part.KEY, FileChange.RESTORE) for path in paths)
    return Change(Verb.INSTALL, "site/one", Reason.DRIFTED, "", site="one", target="web", files=files)


def test_failures_wait_ever_longer_and_a_success_forgets_them() -> None:
    repeats, one = Repeats(), change(Verb.ISSUE, "one")
    waits = []
    for _ in range(12):
        repeats.note(Outcome(one, Status.FAILED, "Refused"), NOW)
        waits.append((repeats.until(one, NOW) or NOW) - NOW)
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert waits[-1] == timedelta(minutes=5)
    assert repeats.until(one, NOW + timedelta(minutes=5)) is None
    repeats.note(Outcome(one, Status.DONE), NOW)
    assert repeats.until(one, NOW) is None


@pytest.mark.parametrize("reason", ["Stopped", Reason.NO_LONGER_PLANNED, Reason.DEPENDENCY_FAILED])
def test_what_was_not_tried_does_not_count(reason: str) -> None:
    repeats, one = Repeats(), change(Verb.ISSUE, "one")
    repeats.note(Outcome(one, Status.SKIPPED, reason), NOW)
    assert repeats.until(one, NOW) is None


def test_a_wait_lasts_until_its_time() -> None:
    repeats, one = Repeats(), change(Verb.ISSUE, "one")
    at = NOW + timedelta(minutes=7)
    repeats.note(Outcome(one, Status.WAITING, Reason.IN_FLIGHT, again=at), NOW)
    assert repeats.until(one, NOW) == at
    assert repeats.until(one, at) is None


def test_the_same_files_repaired_thrice_within_an_hour_are_a_fight() -> None:
    repeats, now = Repeats(), NOW
    for _ in range(3):
        assert repeats.until(drifted("/a", "/b"), now) is None
        repeats.note(Outcome(drifted("/b", "/a"), Status.DONE), now)
        now += timedelta(minutes=10)
    again = repeats.until(drifted("/a", "/b"), now)
    assert again == NOW + timedelta(minutes=80)
    assert repeats.is_fight(drifted("/a", "/b"))
    assert repeats.until(drifted("/c"), now) is None
    repeats.note(Outcome(drifted("/a", "/b"), Status.DONE), again)
    assert repeats.until(drifted("/a", "/b"), again) == again + timedelta(hours=1)
    # peace: the next repair long after is an ordinary one
    later = again + timedelta(days=1)
    repeats.note(Outcome(drifted("/a", "/b"), Status.DONE), later)
    assert repeats.until(drifted("/a", "/b"), later) is None


def test_old_tries_are_forgotten() -> None:
    repeats = Repeats()
    for number in range(3000):
        one = replace(change(Verb.ISSUE, "one"), decided_on=str(number))
        repeats.note(Outcome(one, Status.DONE), NOW + timedelta(hours=number))
    assert len(repeats._tries) <= 1001


# --- pulse -----------------------------------------------------------------------------------------------------------


def test_hints_are_gathered_for_half_a_second_at_most() -> None:
    clock = OwnTime()
    pulse = Pulse(clock)
    taken = []
    for _ in range(20):
        pulse.hint("tree")
        if pulse.take("tree"):
            taken.append(clock.passed)
        clock.passed += 0.1
    assert taken[0] == pytest.approx(0.5, abs=0.11)
    assert len(taken) <= 4


def test_a_walk_that_took_long_is_made_seldom() -> None:
    clock = OwnTime()
    pulse = Pulse(clock)
    with pulse.walking("scan"):
        clock.passed += 2.0
    pulse.hint("scan")
    clock.passed += 39.0
    assert not pulse.due("scan")
    clock.passed += 1.0
    assert pulse.take("scan")


def test_a_jump_of_over_a_minute_is_seen_once() -> None:
    clock = OwnTime()
    pulse = Pulse(clock)
    clock.passed += 1_000_000
    clock.skew = -59
    assert pulse.jumped() is None
    clock.skew = -59 - 61
    assert pulse.jumped() == pytest.approx(-61)
    assert pulse.jumped() is None


def test_trouble_slows_down_and_is_told_once() -> None:
    clock = OwnTime()
    pulse = Pulse(clock)
    assert pulse.ill()
    assert not pulse.due("pass")
    clock.passed += 1.0
    assert pulse.due("pass")
    assert not any(pulse.ill() for _ in range(20))
    clock.passed += 59.0
    assert not pulse.due("pass")
    clock.passed += 1.0
    assert pulse.due("pass")
    pulse.well()
    assert pulse.ill()


# --- watch -----------------------------------------------------------------------------------------------------------


def test_a_watcher_says_which_kind_of_directory_changed(tmp_path: Path) -> None:
    for name in ("tree", "world", "other"):
        (tmp_path / name).mkdir()
    heard: list[Hint] = []
    watcher = Watcher(heard.append, 100)
    try:
        assert watcher.watch([str(tmp_path / "tree")], [str(tmp_path / "world"), str(tmp_path / "none")]) == 1
        (tmp_path / "tree" / "a.yaml").write_text("x")
        until(lambda: Hint.TREE in heard, "an edit is heard")
        assert Hint.WORLD not in heard
        (tmp_path / "world" / ".staged").write_text("x")
        (tmp_path / "world" / "key.pem").write_text("x")
        until(lambda: Hint.WORLD in heard, "a changed file is heard")
        # a directory that is made anew is watched again
        (tmp_path / "world" / ".staged").unlink()
        (tmp_path / "world" / "key.pem").unlink()
        (tmp_path / "world").rmdir()
        until(lambda: len(watcher._gone) == 1, "the end of a directory is heard")
        (tmp_path / "world").mkdir()
        watcher.watch([str(tmp_path / "tree")], [str(tmp_path / "world")])
        heard.clear()
        (tmp_path / "world" / "key.pem").write_text("x")
        until(lambda: Hint.WORLD in heard, "its successor is watched")
        watcher.watch([str(tmp_path / "other")], [])
        (tmp_path / "other" / "one").mkdir()
        until(lambda: Hint.TREE in heard, "the words of before are over")
        heard.clear()
        (tmp_path / "world" / "key.pem").write_text("y")
        (tmp_path / "tree" / "a.yaml").write_text("y")
        (tmp_path / "other" / "two").mkdir()
        until(lambda: heard, "what is watched is heard")
        assert heard == [Hint.TREE], "and nothing of what is not any more"
        watcher.watch([], [])
        assert watcher.count == 0
    finally:
        watcher.close()


def test_reading_is_no_event_and_the_limit_holds(tmp_path: Path) -> None:
    heard: list[Hint] = []
    (tmp_path / "a.yaml").write_text("x")
    (tmp_path / "deeper").mkdir()
    watcher = Watcher(heard.append, 1)
    try:
        assert watcher.watch(directories([str(tmp_path)]), []) == 1
        (tmp_path / "a.yaml").read_text()
        list(tmp_path.iterdir())
        (tmp_path / "deeper" / "b.yaml").write_text("x")
        (tmp_path / "sign").mkdir()
        until(lambda: heard, "what is made is heard")
        assert heard == [Hint.TREE], "and nothing before it"
        assert watcher.count == 1
    finally:
        watcher.close()


def test_lost_events_are_told(tmp_path: Path) -> None:
    heard: list[Hint] = []
    watcher = Watcher(heard.append, 10)
    try:
        watcher.watch([str(tmp_path)], [])
        watcher._callbacks[Hint.TREE].on_queue_overflow()
        assert heard == [Hint.LOST]
    finally:
        watcher.close()


def test_directories_of_a_tree(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "one.yaml").write_text("x")
    assert set(directories([str(tmp_path)])) == {str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")}
    assert set(directories([str(tmp_path / "one.yaml")])) == {str(tmp_path)}
    assert set(directories([str(tmp_path / "not-yet"), "-"])) == {str(tmp_path)}


def test_of_the_store_only_live_is_watched() -> None:
    assert list(gathered({"/s/certificates/one/r", "/s/status", "/etc/nginx", ""}, "/s/")) == ["/s/live", "/etc/nginx"]
