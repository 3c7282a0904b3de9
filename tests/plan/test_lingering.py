"""What ought to be gone and is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.observed import NO_SPEC, Abandoned, Failures, LastFailure, Undo, World
from reconciler.plan.lingering import lingering
from tests.plan.world import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable

THING = Undo("a", "one", "txt", "one.test", "_acme-challenge.one.test", value="v", problem="the hook ended with 1")


LEAVING = [Change(Verb.UNINSTALL, f"site/{name}", Reason.NOT_DECLARED, "", site=name) for name in ("gone", "here")]


def told(world: World, wanted: Iterable[Change] = LEAVING) -> list[str]:
    return [f"{hold.reason}: {hold.message}" for hold in lingering(world, {"here"}, wanted)]


def test_some_are_named_and_the_others_counted() -> None:
    many = tuple(replace(THING, id=f"{number}") for number in range(3000))
    first, *others, last = told(World(undo=many))
    assert (
        first == 'LeftBehind: _acme-challenge.one.test. IN TXT "v" of site one is not taken away: the hook ended with 1'
    )
    assert len(others) == 4
    assert last == "LeftBehind: 2,995 more answers to challenges are not taken away either"
    assert len(told(World(undo=many[:5]))) == 5


def test_what_has_not_failed_is_not_told() -> None:
    published = replace(THING, kind="address")
    assert told(World(undo=(replace(THING, problem=""), published))) == []


def test_a_removal_is_told_by_its_newest_failure_and_that_of_a_spec_is_none() -> None:
    old, new = (LastFailure(NOW.replace(day=day), "RejectedByServer", f"day {day}") for day in (1, 2))
    failures = {f"target/{last.detail}": Failures(local=1, last=last, digest=NO_SPEC) for last in (new, old)}
    gone = Abandoned("gone", "1", failures=failures)
    text = "NotDeclared: site gone is declared no more, and could not be taken away: RejectedByServer: day 2"
    assert told(World(abandoned=(gone, replace(gone, name="here")))) == [text]
    assert told(World(abandoned=(gone,)), ()) == [], "the removal is held, and that of another day failed"
    declared = {"target/web": Failures(local=1, last=new, digest="d")}
    assert told(World(abandoned=(replace(gone, failures=declared),))) == []
