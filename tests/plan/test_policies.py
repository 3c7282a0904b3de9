# ruff: noqa: ANN401  builders pass any field on
"""Which policy fires, as a table; what is stored goes live before anything is ordered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.changes import Reason, Verb
from reconciler.model.desired import DesiredSite, Failover, ImportSpec, KeySpec, Renewal
from reconciler.model.names import KeyType
from reconciler.model.observed import (
    BrokenRevision,
    Brought,
    Failures,
    LastFailure,
    Memory,
    NoRevision,
    ObservedSite,
    OrderRecord,
)
from reconciler.plan.issuing.case import Case
from reconciler.plan.issuing.policies import POLICIES, explain_policies
from tests.plan.world import BOUGHT, CA, DAY, LE, NOW, WEB, ZERO, facts, one_plan, revision, site

A = site("a", issuers=(LE,))
GOOD = revision(A, start=NOW - DAY)

OWN = site("a", issuers=(BOUGHT,), brought=ImportSpec("/k", "/c"))
GOOD_OWN = revision(OWN, start=NOW - DAY, life=80 * DAY)
WIDE = revision(OWN, hostnames=("*.example.com", "example.com"))


def _observed(live: Any, **more: Any) -> ObservedSite:
    return ObservedSite("a", live, **more)


TABLE: tuple[tuple[str, DesiredSite, ObservedSite, Reason | None], ...] = (
    ("nothing to do", A, _observed(GOOD), None),
    ("missing", A, _observed(NoRevision()), Reason.MISSING),
    ("corrupt", A, _observed(BrokenRevision("r9", "Corrupt", "chain.pem is empty")), Reason.CORRUPT),
    ("pair", A, _observed(BrokenRevision("r9", "KeyMismatch", "the key does not fit")), Reason.KEY_MISMATCH),
    ("placeholder", A, _observed(revision(A, placeholder=True)), Reason.PLACEHOLDER),
    ("names", site("a", "a.example.com", "b.example.com", issuers=(LE,)), _observed(GOOD), Reason.HOSTNAMES_DIFFER),
    ("too many names", A, _observed(revision(A, hostnames=("a.example.com", "x.y"))), Reason.HOSTNAMES_DIFFER),
    ("order of names", site("a", "b.c", "a.c", issuers=(LE,)), _observed(revision(A, hostnames=("a.c", "b.c"))), None),
    ("issuer gone", site("a", issuers=(ZERO,)), _observed(GOOD), Reason.ISSUER_CHANGED),
    ("second issuer stays", site("a", issuers=(ZERO, LE)), _observed(GOOD), None),
    (
        "back now",
        site("a", issuers=(ZERO, LE), failover=Failover(back="now")),
        _observed(GOOD),
        Reason.ISSUER_CHANGED,
    ),
    ("issuer renamed", site("a", issuers=(replace(LE, name="other"),)), _observed(GOOD), None),
    ("key", site("a", issuers=(LE,), key=KeySpec(KeyType.RSA_2048)), _observed(GOOD), Reason.KEY_TYPE_DIFFERS),
    ("profile", site("a", issuers=(LE,), profile="shortlived"), _observed(GOOD), Reason.PROFILE_DIFFERS),
    (
        "profile not offered",
        site("a", issuers=(LE,), profile="shortlived"),
        _observed(revision(site("a", issuers=(LE,), profile="shortlived"))),
        None,
    ),
    (
        "reissue",
        site("a", issuers=(LE,), renewal=Renewal(reissue_issued_before=NOW)),
        _observed(GOOD),
        Reason.REISSUE_WANTED,
    ),
    (
        "reissue later",
        site("a", issuers=(LE,), renewal=Renewal(reissue_issued_before=NOW + DAY)),
        _observed(GOOD),
        None,
    ),
    ("verb", A, _observed(GOOD, memory=Memory(renew_requested="t")), Reason.REQUESTED_BY_USER),
    (
        "annotation",
        site("a", issuers=(LE,), annotations={"certwright/renewAt": "2"}),
        _observed(GOOD, memory=Memory(handled_renew_at="1")),
        Reason.REQUESTED_BY_USER,
    ),
    (
        "annotation handled",
        site("a", issuers=(LE,), annotations={"certwright/renewAt": "2"}),
        _observed(GOOD, memory=Memory(handled_renew_at="2")),
        None,
    ),
    (
        "annotation at the first issue",
        site("a", issuers=(LE,), annotations={"certwright/renewAt": "2"}),
        _observed(NoRevision()),
        Reason.MISSING,
    ),
    ("brought", OWN, _observed(GOOD_OWN, brought=Brought(facts("a.example.com", serial="02"))), Reason.IMPORT_CHANGED),
    ("brought already", OWN, _observed(GOOD_OWN, brought=Brought(GOOD_OWN.facts)), None),
    ("covers more", OWN, _observed(WIDE, brought=Brought(WIDE.facts)), None),
    ("due", A, _observed(revision(A, start=NOW - 70 * DAY)), Reason.RENEWAL_DUE),
    ("expired", A, _observed(revision(A, start=NOW - 100 * DAY)), Reason.RENEWAL_DUE),
)


@pytest.mark.parametrize(("desired", "observed", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_policy(desired: DesiredSite, observed: ObservedSite, reason: Reason | None) -> None:
    plan = one_plan(desired, observed)
    assert [change.reason for change in plan.changes if change.verb is Verb.ISSUE] == [reason] * (reason is not None)
    verdicts = explain_policies(Case(desired, observed.live, observed.memory, NOW, observed.brought))
    assert len(verdicts) == len(POLICIES)
    assert next((verdict.reason for verdict in verdicts if verdict.fires), None) == reason


def test_every_policy_fires_in_the_table() -> None:
    assert {policy.reason for policy in POLICIES} <= {row[3] for row in TABLE}


def test_stored_revision_goes_live_instead_of_a_broken_one() -> None:
    plan = one_plan(A, _observed(BrokenRevision("r9", "Corrupt", "broken"), others=(GOOD,)))
    assert [(change.verb, change.reason, change.revision) for change in plan.changes] == [
        (Verb.ACTIVATE, Reason.CORRUPT, "r1")
    ]


def test_stored_revision_serves_while_the_wanted_one_is_ordered() -> None:
    desired = site("a", issuers=(LE,), key=KeySpec(KeyType.RSA_2048))
    plan = one_plan(desired, _observed(BrokenRevision("r9", "KeyMismatch", "broken"), others=(GOOD,)))
    assert [change.verb for change in plan.changes] == [Verb.ACTIVATE, Verb.ISSUE]
    assert plan.changes[1].live == "r1"
    assert plan.changes[0].id in plan.changes[1].after


@pytest.mark.parametrize("other", [revision(A, start=NOW - 80 * DAY), revision(A, hostnames=("x.y",))])
def test_stored_revision_that_is_due_or_lacks_names_is_not_used(other: Any) -> None:
    plan = one_plan(A, _observed(BrokenRevision("r9", "Corrupt", "broken"), others=(other,)))
    assert [change.verb for change in plan.changes] == [Verb.ISSUE]


def test_revision_that_was_stored_and_never_went_live_does() -> None:
    old, new = revision(A, 1, start=NOW - 80 * DAY), revision(A, 2, start=NOW - DAY)
    plan = one_plan(A, _observed(old, others=(new,)))
    assert [(change.verb, change.revision) for change in plan.changes] == [(Verb.ACTIVATE, "r2")]


@pytest.mark.parametrize("age", [80, 2], ids=["due", "as wanted, and renewed by request"])
def test_rejected_revision_is_held_until_its_time_and_nothing_ordered(age: int) -> None:
    desired = site("a", issuers=(LE,), targets=(WEB,))
    old, new = revision(desired, 1, start=NOW - age * DAY), revision(desired, 2, start=NOW - DAY)
    last = LastFailure(NOW, "RejectedByServer", "web refused r2: no")
    failures = Failures(local=1, next_attempt=NOW + timedelta(minutes=1), digest=desired.digest, last=last)
    memory = Memory(failures={"target/web": failures}, rejected={"web": "r2"})
    observed = _observed(old, others=(new,), memory=memory)
    plan = one_plan(desired, observed)
    assert not [change for change in plan.changes if change.verb in (Verb.ACTIVATE, Verb.ISSUE)]
    held = [(hold.reason, hold.target, hold.message, hold.until) for hold in plan.holds]
    assert (Reason.REJECTED_BY_SERVER, "web", last.detail, failures.next_attempt) in held
    changed = replace(desired, digest="another spec")
    for wanted, now in ((desired, NOW + timedelta(minutes=2)), (changed, NOW)):
        again = [change for change in one_plan(wanted, observed, now=now).changes if change.verb is Verb.ACTIVATE]
        assert [change.revision for change in again] == ["r2"]
    # out of the target, or with another refused one gone, there is nothing to try
    quiet = replace(memory, rejected={"other": "r2", "web": "r0"})
    plan = one_plan(desired, _observed(old, others=(new,) if age > 30 else (), memory=quiet))
    assert [change.reason for change in plan.changes if change.verb is Verb.ISSUE] == []


def _failed(hours: float, **more: Any) -> Memory:
    last = LastFailure(NOW, "Failed", "no")
    failures = Failures(ca=3, since=NOW - timedelta(hours=hours), last=last, digest=more.pop("digest", ""), **more)
    return Memory(failures={"issue": failures})


@pytest.mark.parametrize(("hours", "issuer"), [(1, "le"), (25, "zero"), (49, "le")])
def test_failover_after_its_time_and_round_the_list(hours: float, issuer: str) -> None:
    desired = site("a", issuers=(LE, ZERO))
    plan = one_plan(desired, _observed(NoRevision(), memory=_failed(hours)))
    assert [change.issuer for change in plan.changes if change.verb is Verb.ISSUE] == [issuer]


@pytest.mark.parametrize(("back", "issuer"), [("atRenewal", "le"), ("never", "zero")])
def test_renewal_goes_back_to_the_first_issuer_or_stays(back: Any, issuer: str) -> None:
    desired = site("a", issuers=(LE, ZERO), failover=Failover(back=back))
    plan = one_plan(desired, _observed(revision(desired, start=NOW - 80 * DAY, issuer=ZERO)))
    assert plan.changes[0].issuer == issuer


def test_failover_never_loses_trust_and_a_lone_lesser_issuer_is_held() -> None:
    live = revision(A, start=NOW - 80 * DAY)
    desired = site("a", issuers=(LE, CA))
    plan = one_plan(desired, _observed(live, memory=_failed(25)))
    assert plan.changes[0].issuer == "le"
    lesser = site("a", issuers=(CA,))
    held = one_plan(lesser, _observed(live))
    assert [hold.reason for hold in held.holds] == [Reason.WOULD_LOSE_TRUST]
    allowed = replace(lesser, annotations={"certwright/allow-trust-loss": "true"})
    assert one_plan(allowed, _observed(live)).changes[0].issuer == "ca"
    expired = _observed(revision(A, start=NOW - 100 * DAY))
    assert one_plan(lesser, expired).changes[0].issuer == "ca"


def test_back_now_orders_nothing_where_going_back_would_lose_trust() -> None:
    desired = site("a", issuers=(CA, LE), failover=Failover(back="now"))
    assert not one_plan(desired, _observed(GOOD)).changes
    allowed = replace(desired, annotations={"certwright/allow-trust-loss": "true"})
    assert one_plan(allowed, _observed(GOOD)).changes[0].issuer == "ca"


def test_order_in_flight_is_resumed_and_costs_nothing() -> None:
    order = OrderRecord(
        "le", LE.directory, "default", A.names, "Missing", A.digest, NOW, url="https://ca.example/order/1"
    )
    plan = one_plan(A, _observed(NoRevision(), order=order))
    assert plan.changes[0].new_orders == 0
    assert "resumes" in plan.changes[0].message
    other = replace(order, hostnames=("x.y",))
    assert one_plan(A, _observed(NoRevision(), order=other)).changes[0].new_orders == 1
