from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed, NamesFailed, Stalled
from reconciler.model.changes import Hold, Reason
from reconciler.model.desired import Http01, Listener, TlsAlpn01
from reconciler.model.observed import Memory, NoRevision, OrderRecord, Proven
from reconciler.plan.backoff import after_failure
from reconciler.plan.issuing.case import Case
from reconciler.plan.issuing.late import until_late
from reconciler.plan.issuing.names import after_names, after_success, left_out, ordered_names, ways
from reconciler.plan.issuing.policies import first_finding
from reconciler.plan.issuing.stages import stage_hold, stops
from tests.plan.world import LE, NOW, revision, site

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import Live

WEB, ALPN = Http01("web", Listener(80)), TlsAlpn01("alpn", Listener(443))
NAMES = ("a.example.com", "b.example.com")


def _site(*methods: Http01 | TlsAlpn01, mode: str = "drop", names: tuple[str, ...] = NAMES) -> DesiredSite:
    return replace(site("a", *names, issuers=(LE,)), methods=dict.fromkeys(names, methods), on_name_failure=mode)  # type: ignore[arg-type]


def _failed(name: str = NAMES[1], method: str | None = "web", **facts: object) -> Failed:
    return Failed("ChallengeFailed", "no", blame="ca", hostname=name, method=method, **facts)  # type: ignore[arg-type]


def _after(one: DesiredSite, *errors: Failed | Stalled, live: Live | None = None) -> tuple[Memory, list[bool]]:
    memory, gone_on = Memory(), []
    for error in errors:
        names, goes_on = after_names(one, live or NoRevision(), memory, error, NOW)
        memory = replace(memory, names=names)
        gone_on.append(goes_on)
    return memory, gone_on


def test_each_way_is_tried_at_once_and_then_it_waits() -> None:
    one = _site(WEB, ALPN, mode="fail")
    memory, gone_on = _after(one, _failed(), _failed(method="alpn"), _failed(), _failed(method="alpn"))
    assert gone_on == [True, False, True, False]
    assert [way.name for way in ways(one, NoRevision(), memory)[NAMES[0]]] == ["web", "alpn"], "others are not touched"
    memory, _ = _after(one, _failed())
    assert [way.name for way in ways(one, NoRevision(), memory)[NAMES[1]]] == ["alpn", "web"]


def test_a_way_that_the_ca_does_not_offer_makes_no_quick_repeats() -> None:
    # `alpn` is next but the CA never offers it, so that `web` fails again and again
    _, gone_on = _after(_site(WEB, ALPN, mode="fail"), *[_failed()] * 8)
    assert gone_on == [True, *[False] * 7]


def test_what_worked_comes_first_until_it_fails() -> None:
    one = _site(WEB, ALPN)
    live = revision(_site(WEB))
    live = replace(live, meta=replace(live.meta, challenges={NAMES[1]: Proven("alpn", "tls-alpn-01")}))
    assert [way.name for way in ways(one, live, Memory())[NAMES[1]]] == ["alpn", "web"]
    memory, _ = _after(one, _failed(method="alpn"), live=live)
    assert [way.name for way in ways(one, live, memory)[NAMES[1]]] == ["web", "alpn"]


def test_all_is_forgotten_with_the_spec() -> None:
    one = _site(WEB)
    memory, _ = _after(one, _failed())
    assert left_out(one, NoRevision(), memory, NOW)
    other = replace(one, digest="e")
    assert not left_out(other, NoRevision(), memory, NOW)
    assert after_success(other, memory, NAMES[:1]) == {}


@pytest.mark.parametrize("mode", ["fail", "dropLate", "drop"])
@pytest.mark.parametrize("left", [0.5, 0.1])
def test_when_a_name_is_left_out(mode: str, left: float) -> None:
    one = _site(WEB, mode=mode)
    live = revision(_site(WEB))
    life = live.facts.not_after - live.facts.not_before
    now = live.facts.not_after - life * left
    names, goes_on = after_names(one, live, Memory(), _failed(), now)
    drops = mode == "drop" or (mode == "dropLate" and left < 1 / 6)
    assert goes_on is drops
    assert ordered_names(one, live, Memory(names=names), now) == (NAMES[:1] if drops else NAMES)


def test_without_a_certificate_drop_late_fails() -> None:
    _, gone_on = _after(_site(WEB, mode="dropLate"), _failed())
    assert gone_on == [False]


def test_never_all_of_them() -> None:
    one = _site(WEB)
    memory, gone_on = _after(one, NamesFailed([_failed(NAMES[0]), _failed(NAMES[1])]))
    assert gone_on == [False]
    assert ordered_names(one, NoRevision(), memory, NOW) == NAMES


@pytest.mark.parametrize("error", [_failed(method=None), Stalled("NoUsableChallenge", "no", "a way", NAMES[1])])
def test_what_no_way_helps_is_left_out_at_once(error: Failed | Stalled) -> None:
    one = _site(WEB, ALPN)
    memory, gone_on = _after(one, error)
    assert gone_on == [True]
    assert ordered_names(one, NoRevision(), memory, NOW) == NAMES[:1]


@pytest.mark.parametrize("names", [NAMES[1:], NAMES])
def test_a_hold_tells_from_when_others_go_on_alone_where_there_are_others(names: tuple[str, ...]) -> None:
    one = _site(WEB, mode="dropLate")
    memory, _ = _after(one, *[_failed(name) for name in names])
    memory = replace(memory, failures={"issue": after_failure(None, _failed(), NOW, one.digest)})
    held = until_late(Case(one, revision(one), memory, NOW), Hold(Reason.BACKOFF, "1 attempt failed", site="a"))
    assert held is not None
    assert ("ordered without b.example.com" in held.message) is (names != NAMES)


def test_a_ca_that_asks_to_wait_is_not_asked_at_once() -> None:
    _, gone_on = _after(_site(WEB, ALPN), _failed(until=NOW + timedelta(hours=1)))
    assert gone_on == [False]


def test_what_was_dropped_asks_for_no_order_before_its_time_and_for_one_then() -> None:
    one = _site(WEB)
    memory, _ = _after(one, _failed())
    live = revision(_site(WEB), hostnames=NAMES[:1])
    memory = replace(memory, names=after_success(one, memory, NAMES[:1]))
    assert memory.names[NAMES[1]].dropped
    assert first_finding(Case(one, live, memory, NOW)) is None
    at = memory.names[NAMES[1]].failures.next_attempt
    assert at is not None
    found = first_finding(Case(one, live, memory, at))
    assert found is not None
    assert found.reason is Reason.HOSTNAMES_DIFFER
    retried = replace(one, annotations={"certwright/retryAt": "x"})
    assert first_finding(Case(retried, live, memory, NOW)) is not None
    # tried in vain: the rest stays, and a renewal for another cause still leaves it out
    again, _ = after_names(replace(one, on_name_failure="dropLate"), live, memory, _failed(), at)
    assert again[NAMES[1]].dropped
    late = replace(one, on_name_failure="dropLate")
    assert ordered_names(late, live, replace(memory, names=again), at) == NAMES[:1]


def _order(stage: str, expires: timedelta) -> OrderRecord:
    return OrderRecord(
        issuer="pebble",
        directory="",
        account="",
        hostnames=NAMES,
        reason="Missing",
        spec_digest="",
        intent_at=NOW - timedelta(days=1),
        url="https://ca.example/order/1",
        expires=NOW + expires,
        stage=stage,  # type: ignore[arg-type]
    )


def test_an_order_by_hand_waits_then_expires_and_in_the_last_third_goes_on_by_itself() -> None:
    one = _site(WEB)
    case = Case(one, NoRevision(), Memory(), NOW)
    held = stage_hold(case, _order("byHand", timedelta(days=1)))
    assert held is not None
    assert (held.reason, held.failed) == (Reason.WAITING_FOR_SOLVE, False)
    assert held.until == NOW + timedelta(days=1)
    held = stage_hold(case, _order("byHand", -timedelta(days=1)))
    assert held is not None
    assert (held.reason, held.failed) == (Reason.STAGE_EXPIRED, True)
    live = revision(_site(WEB))
    late = live.facts.not_after - (live.facts.not_after - live.facts.not_before) / 4
    assert stage_hold(Case(one, live, Memory(), late), _order("byHand", -timedelta(days=1))) is None
    assert stage_hold(case, _order("auto", timedelta(days=1))) is None
    assert stage_hold(case, None) is None


def test_stop_at_stops_once_and_not_what_a_person_ended() -> None:
    one = replace(_site(WEB), stop_at="challenges")
    case = Case(one, NoRevision(), Memory(), NOW)
    assert stops(case, None)
    assert not stops(case, _order("auto", timedelta(days=1))), "`request` let it go on"
    assert stops(case, _order("auto", -timedelta(days=1)))
    assert not stops(Case(_site(WEB), NoRevision(), Memory(), NOW), None)
