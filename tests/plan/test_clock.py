"""A clock that went back reissues nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.model.changes import Hold, Reason, Verb
from reconciler.model.observed import Memory, ObservedSite, World
from reconciler.model.ports import Limits, Scope
from reconciler.plan.assemble import make_plan
from reconciler.report.conditions import conditions
from tests.plan import world as small

BACK = small.NOW - timedelta(days=700)


def plan_at_wrong_time(memory: Memory = Memory()) -> tuple[list[Verb], list[Hold]]:  # noqa: B008  frozen
    wanted = small.site("a", "a.example", "new.a.example")
    seen = ObservedSite("a", small.revision(wanted, hostnames=("a.example",)), memory=memory)
    plan = make_plan(
        small.declared(wanted), World(sites={"a": seen}), now=BACK, limits=Limits(), scope=Scope(full=True)
    )
    return [change.verb for change in plan.changes], list(plan.holds)


def test_nothing_is_issued_before_the_newest_certificate_began() -> None:
    verbs, holds = plan_at_wrong_time()
    assert Verb.ISSUE not in verbs
    [hold] = [hold for hold in holds if hold.reason is Reason.CLOCK_WRONG]
    assert f"says {BACK:%Y-%m-%d %H:%M} UTC" in hold.message


def test_a_person_may_ask_for_it_all_the_same() -> None:
    verbs, _ = plan_at_wrong_time(replace(Memory(), renew_requested="now"))
    assert Verb.ISSUE in verbs


def test_a_certificate_of_the_future_is_not_ready() -> None:
    wanted = small.site("a", "a.example")
    found = {one.type: one for one in conditions(wanted, ObservedSite("a", small.revision(wanted)), BACK)}
    assert (found["Issued"].status, found["Issued"].reason) == ("False", "NotYetValid")
    assert found["Ready"].status == "False"
