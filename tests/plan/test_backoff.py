"""Backoff and renewal instants: tables and bounds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import CertwrightError, Failed, Stalled, Transient, Waiting
from reconciler.model.changes import Reason
from reconciler.model.desired import Renewal
from reconciler.model.names import Part
from reconciler.model.observed import (
    Failures,
    FileChange,
    FileFact,
    LastFailure,
    Memory,
    NoRevision,
    ObservedSite,
    OnTarget,
    RenewalChoice,
)
from reconciler.plan.backoff import GREATEST, after_failure, next_attempt, waits_until
from reconciler.plan.issuing.renewal import choose_renewal, renew_at
from tests.plan.world import DAY, LE, NOW, WEB, one_plan, revision, site

A = site("a", issuers=(LE,))
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("local", "ca", "left", "delay"),
    [
        (1, 0, None, timedelta(seconds=5)),
        (2, 0, None, timedelta(seconds=10)),
        (50, 0, None, 5 * MINUTE),
        (0, 1, None, MINUTE),
        (0, 2, None, 10 * MINUTE),
        (0, 3, None, 100 * MINUTE),
        (0, 4, None, DAY),
        (0, 40, 80 * DAY, DAY),
        (0, 40, timedelta(hours=8), timedelta(hours=1)),
        (0, 40, timedelta(seconds=8), MINUTE),
        (0, 40, -DAY, timedelta(hours=1)),
        (3, 2, None, 10 * MINUTE),
    ],
)
def test_next_attempt(local: int, ca: int, left: timedelta | None, delay: timedelta) -> None:
    end = None if left is None else NOW + left
    assert next_attempt(Failures(local=local, ca=ca), NOW, end) == NOW + delay


@pytest.mark.parametrize("reason", [Reason.NAME_SERVED_ELSEWHERE, Reason.NOT_INCLUDED])
def test_what_a_person_configured_does_not_cost_a_reload_all_the_time(reason: Reason) -> None:
    failures, waits = None, []
    for _ in range(5):
        failures = after_failure(failures, Failed(reason, "x"), NOW, "d")
        assert failures.next_attempt is not None
        waits.append(failures.next_attempt - NOW)
    assert waits == [timedelta(seconds=5), MINUTE, 10 * MINUTE, 60 * MINUTE, 60 * MINUTE]


@given(local=st.integers(0, 10**6), ca=st.integers(0, 10**6), left=st.integers(-(10**8), 10**8))
def test_never_in_the_past_nor_beyond_a_day(local: int, ca: int, left: int) -> None:
    at = next_attempt(Failures(local=local, ca=ca), NOW, NOW + timedelta(seconds=left))
    assert NOW <= at <= NOW + GREATEST


def test_failures_count_by_blame_and_forget_another_spec() -> None:
    one = after_failure(None, Failed("Refused", "no\x1b", blame="ca", hostname="a.b"), NOW, "d1")
    assert (one.ca, one.local, one.since, one.digest) == (1, 0, NOW, "d1")
    assert one.last is not None
    assert one.last.detail == "no\\x1b"
    two = after_failure(one, Failed("SelfTest", "no"), NOW + DAY, "d1")
    assert (two.ca, two.local, two.since) == (1, 1, NOW)
    assert after_failure(two, Failed("SelfTest", "no"), NOW + DAY, "d2").ca == 0


@pytest.mark.parametrize(
    ("error", "at", "count"),
    [
        (Failed("X", "x", until=NOW + 3 * DAY), NOW + 3 * DAY, 1),
        (Failed("X", "x", until=NOW + 300 * DAY), NOW + 7 * DAY, 1),
        (Waiting("RateLimited", "x", NOW + DAY), NOW + DAY, 0),
        (Transient("x", 30), NOW + timedelta(seconds=30), 1),
        (Transient("x"), NOW + timedelta(seconds=5), 1),
    ],
)
def test_the_other_side_wishes_a_time(error: CertwrightError, at: datetime, count: int) -> None:
    after = after_failure(None, error, NOW, "d")
    assert (after.next_attempt, after.count) == (at, count)
    assert waits_until(after, "d", NOW + timedelta(seconds=1)) == at
    a_year_ahead = after_failure(None, error, NOW + 365 * DAY, "d")
    assert waits_until(a_year_ahead, "d", NOW) is None, "a wrong clock wrote it"


@pytest.mark.parametrize(
    "error",
    [Waiting("RateLimited", "x", NOW), Failed("CaUnavailable", "x", blame="ca", until=NOW + timedelta(seconds=1))],
)
def test_a_ca_that_wishes_to_be_asked_at_once_is_asked_ever_later(error: CertwrightError) -> None:
    failures, now, waits = None, NOW, []
    for _ in range(20):
        failures = after_failure(failures, error, now, "d")
        assert failures.next_attempt is not None
        waits.append(failures.next_attempt - now)
        now = failures.next_attempt
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (MINUTE, 10 * MINUTE)
    # what is no wish of a CA's is not concerned
    own = after_failure(failures, Failed("TakenOut", "x", until=now), now, "d")
    assert own.next_attempt == now


def _held(failures: Failures, **more: object) -> list[tuple[Reason, datetime | None]]:
    memory = Memory(failures={"issue": failures})
    plan = one_plan(site("a", issuers=(LE,), **more), ObservedSite("a", NoRevision(), memory=memory))
    return [(hold.reason, hold.until) for hold in plan.holds]


def test_holds_of_failures() -> None:
    later = NOW + MINUTE
    failed = Failures(ca=1, next_attempt=later, digest=A.digest)
    assert _held(failed) == [(Reason.BACKOFF, later)]
    assert _held(failed, annotations={"certwright/retryAt": "1"}) == []
    assert _held(Failures(ca=1, next_attempt=later, digest="another spec")) == []
    assert _held(Failures(ca=1, next_attempt=NOW, digest=A.digest)) == []
    assert _held(Failures(ca=1, next_attempt=NOW + 9 * DAY, digest=A.digest)) == [], "a wrong clock wrote it"
    named = Failed("ChallengeFailed", "a.example: no TXT", blame="ca", hostname="a.example")
    again = after_failure(None, named, NOW, A.digest)
    [told] = one_plan(A, ObservedSite(A.name, memory=Memory(failures={"issue": again}))).holds
    assert told.message.count("a.example") == 1
    stalled = after_failure(None, Stalled("NoMethod", "no way", "the manifest changes"), NOW, A.digest)
    assert _held(stalled) == [(Reason.STALLED, None)]
    assert _held(stalled, annotations={"certwright/retryAt": "1"}) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        *((reason, reason) for reason in ("DiskFull", "ReadOnlyFilesystem", "PermissionDenied", "NoSuchDirectory")),
        *(("RejectedByServer", "RejectedByServer"), ("DiskError", "DiskError"), ("NotLoaded", "TargetBroken")),
    ],
)
def test_files_that_could_not_be_installed_are_held_by_the_reason_that_was_seen(seen: str, told: str) -> None:
    desired = site("a", targets=(WEB,))
    failures = after_failure(None, Failed(seen, f"cannot write /x: {seen}"), NOW, desired.digest)
    on = OnTarget("web", (FileFact("/x", Part.CONFIG, FileChange.UPDATE),))
    memory = Memory(failures={"target/web": failures})
    [hold] = one_plan(desired, ObservedSite("a", revision(desired), memory=memory, on={"web": on})).holds
    assert (hold.reason, hold.target, hold.failed) == (told, "web", True)
    assert hold.message == f"1 attempt failed: cannot write /x: {seen}"


def test_retry_never_releases_a_rate_limit() -> None:
    last = LastFailure(NOW, "RateLimited", "too many")
    limited = Failures(next_attempt=NOW + 2 * DAY, last=last, digest=A.digest)
    assert _held(limited, annotations={"certwright/retryAt": "1"}) == [(Reason.RATE_LIMITED, NOW + 2 * DAY)]


def test_expired_site_is_given_up_after_lookbehind_counted_from_its_first_attempt() -> None:
    live = revision(A, start=NOW - 500 * DAY)
    for since, stalled in ((None, False), (NOW - 29 * DAY, False), (NOW - 30 * DAY, True)):
        plan = one_plan(A, ObservedSite("a", live, memory=Memory(expired_since_attempt=since)))
        assert [hold.reason for hold in plan.holds] == [Reason.STALLED] * stalled
        assert bool(plan.changes) is not stalled


@given(
    share=st.integers(1, 90),
    hours=st.integers(1, 9000),
    serial=st.integers(0, 255),
    backdated=st.floats(0, 0.5),
)
def test_share_of_the_lifetime_with_jitter_only_earlier(share: int, hours: int, serial: int, backdated: float) -> None:
    life = timedelta(hours=hours)
    live = revision(A, serial, life=life, at=NOW + life * backdated)
    at, clamped = renew_at("a", live, share)
    assert not clamped
    latest = max(live.facts.not_after - life * share / 100, live.meta.at + (live.facts.not_after - live.meta.at) / 20)
    assert at <= latest
    assert at >= live.facts.not_after - (life * share / 100 + life / 20) - timedelta(seconds=5)
    assert live.meta.at <= at or share < 90
    assert live.facts.not_before <= at < live.facts.not_after


def test_duration_is_clamped_to_half_the_lifetime_and_said() -> None:
    live = revision(A, life=timedelta(hours=160))
    choice = choose_renewal("a", live, Renewal(lookahead=10 * DAY), None)
    assert choice.reason == "LookaheadClamped"
    assert timedelta(hours=70) < choice.at - NOW <= timedelta(hours=80)


def test_chosen_instant_is_kept_for_its_revision_and_lookahead_alone() -> None:
    live = revision(A)
    kept = RenewalChoice("r1", NOW + 10 * DAY, "Lookahead", "33%")
    assert choose_renewal("a", live, Renewal(), kept) == kept
    assert choose_renewal("a", live, Renewal(lookahead=50), kept) != kept
    assert choose_renewal("a", revision(A, 2), Renewal(), kept).revision == "r2"
    assert choose_renewal("a", live, Renewal(), RenewalChoice("r1", NOW + 999 * DAY, "Lookahead", "33%")) != kept
