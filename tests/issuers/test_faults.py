"""A CA that misbehaves in every way that a front before Pebble can make it: a clear failure, and nothing is lost."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.doors import log, x509
from reconciler.errors import CertwrightError, Failed, NamesFailed, Stalled, Waiting
from reconciler.model.desired import Listener
from tests.rig import rig
from tests.servers import faults
from tests.servers.identity import make_identity
from tests.servers.pebble import Options, pebble
from tests.servers.ports import free_port
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig import Rig
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.faults import Act
    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

Fronted = tuple["Rig", "Front"]

# newOrder, an authorization, an order that is asked about, a certificate
STEPS = ["/order-plz", "/authZ/", "/my-order/", "/certZ/"]


def _orders(front: Front) -> int:
    """Count orders that were sent; a refused nonce (400) is none."""
    return sum("/order-plz" in one.path and one.status != 400 for one in front.seen)


def _fails(fronted: Fronted, act: Act, path: str, *, times: int | None = None) -> CertwrightError:
    machine, front = fronted
    issuer = machine.registered()
    front.inject(act, path, times=times)
    desk = machine.desk()
    with pytest.raises(CertwrightError) as caught:
        issuer.obtain(machine.request("fault.test"), desk)
    assert machine.store.published == {}
    front.heal()
    again = issuer.obtain(machine.request("fault.test"), desk)
    assert again.facts.hostnames == ("fault.test",), "once the CA is well, the same desk goes on"
    return caught.value


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize(
    ("act", "words"),
    [
        (faults.html(), "text/html"),
        (faults.redirect("https://elsewhere.test/"), "redirect"),
        (faults.redirect("https://elsewhere.test/", 307), "redirect"),
        (faults.gzip, "content encoding gzip"),
    ],
    ids=["html", "302", "307", "gzip"],
)
def test_what_no_step_answers_with(fronted: Fronted, act: Act, words: str, path: str) -> None:
    failure = _fails(fronted, act, path)

    assert isinstance(failure, Failed)
    assert (failure.reason, failure.blame) == ("CaMisbehaves", "ca")
    assert words in str(failure)


@pytest.mark.parametrize("path", STEPS)
def test_500_is_retried_and_then_it_is_the_ca(fronted: Fronted, path: str) -> None:
    machine, front = fronted
    issuer = machine.registered()
    front.inject(faults.refuse(500), path, times=2)

    issued = issuer.obtain(machine.request("patient.test"), machine.desk())

    assert issued.facts.hostnames == ("patient.test",)


def test_500_all_the_time(fronted: Fronted) -> None:
    failure = _fails(fronted, faults.refuse(500, detail="out of order"), "/order-plz")

    assert isinstance(failure, Failed)
    assert (failure.reason, failure.blame) == ("CaUnavailable", "ca")
    assert "500" in str(failure)


def test_503_with_a_time_is_waited_for_elsewhere(fronted: Fronted) -> None:
    failure = _fails(fronted, faults.refuse(503, retry_after="120"), "/order-plz")

    assert isinstance(failure, Failed)
    assert failure.until is not None
    assert timedelta(seconds=100) < failure.until - datetime.now(UTC) < timedelta(seconds=121)
    machine, _ = fronted
    assert max(machine.clock.waits, default=0) < 10


def test_a_rate_limit_has_an_end(fronted: Fronted) -> None:
    act = faults.refuse(429, retry_after="3600", problem="rateLimited", detail="too many certificates")
    failure = _fails(fronted, act, "/order-plz")

    assert isinstance(failure, Waiting)
    assert failure.reason == "RateLimited"
    assert "too many certificates" in str(failure)
    assert timedelta(minutes=59) < failure.until - datetime.now(UTC) < timedelta(minutes=61)


def test_a_pause_has_a_page_and_no_end(fronted: Fronted) -> None:
    page = "https://portal.test/unpause?jwt=abc.def"
    failure = _fails(fronted, faults.refuse(429, problem="rateLimited", detail=f"Please visit: {page}"), "/order-plz")

    assert isinstance(failure, Stalled)
    assert failure.reason == "Paused"
    assert page in str(failure)
    assert page in failure.ends_when


def test_a_ca_that_wants_a_person(fronted: Fronted) -> None:
    failure = _fails(fronted, faults.refuse(403, problem="userActionRequired", detail="new terms"), "/order-plz")

    assert isinstance(failure, Stalled)
    assert failure.reason == "UserActionRequired"


@pytest.mark.parametrize("path", [path for path in STEPS if path != "/order-plz"])
@pytest.mark.parametrize("act", [faults.truncate(20), faults.drop_before, faults.drop_after])
def test_half_an_answer_or_none_is_retried(fronted: Fronted, act: Act, path: str) -> None:
    machine, front = fronted
    issuer = machine.registered()
    front.inject(act, path, times=1)

    issued = issuer.obtain(machine.request("half.test"), machine.desk())

    assert issued.facts.hostnames == ("half.test",)


@pytest.mark.parametrize("act", [faults.truncate(20), faults.drop_before, faults.drop_after])
def test_an_order_whose_answer_was_lost_is_not_repeated_in_the_same_attempt(fronted: Fronted, act: Act) -> None:
    machine, front = fronted
    issuer, desk = machine.registered(), machine.desk()
    front.inject(act, "/order-plz", times=1)

    with pytest.raises(Failed) as caught:
        issuer.obtain(machine.request("lost.test"), desk)

    assert (caught.value.reason, caught.value.blame) == ("CaUnavailable", "ca")
    until(lambda: front.count("/order-plz", forwarded=False) == 1, "the front has noted what it answered")
    front.forget()  # it may have been a refused nonce whose answer was lost
    assert issuer.obtain(machine.request("lost.test"), desk).facts.hostnames == ("lost.test",)
    assert _orders(front) == 1, "one for each attempt"


def test_finalize_that_was_executed_but_not_answered_costs_no_second_order(fronted: Fronted) -> None:
    machine, front = fronted
    issuer = machine.registered()
    front.inject(faults.drop_after, "/finalize-order/", times=1)
    desk = machine.desk()

    issued = issuer.obtain(machine.request("finalized.test"), desk)

    assert issued.facts.hostnames == ("finalized.test",)
    assert _orders(front) == 1
    assert x509.check_pair(issued.certificate, desk.key()) == issued.facts


def test_a_certificate_for_other_names_is_thrown_away(fronted: Fronted) -> None:
    machine, front = fronted
    other = machine.registered().obtain(machine.request("other.test"), machine.desk())
    front.inject(faults.set_body(other.certificate + other.chain), "/certZ/", times=None)
    desk = machine.desk()

    with pytest.raises(Failed) as caught:
        machine.registered().obtain(machine.request("mine.test"), desk)

    assert caught.value.reason in {"KeyMismatch", "WrongNames"}
    assert caught.value.blame == "ca"
    assert desk.record is None


@pytest.mark.parametrize(
    ("path", "act"),
    [
        ("/alternate/", faults.refuse(404, problem="malformed", detail="no such certificate")),
        ("/alternate/", faults.refuse(503, retry_after="60")),
        ("/alternate/", faults.set_body(b"rubbish")),
        ("/alternate/", faults.html()),
        ("/certZ/[^/]+$", faults.set_header("Link", '<https://elsewhere.test/chain>;rel="alternate"')),
    ],
    ids=["404", "503", "rubbish", "html", "elsewhere"],
)
def test_an_alternate_chain_that_cannot_be_had_costs_nothing_else(
    fronted: Fronted, quick: Pebble, path: str, act: Act
) -> None:
    machine, front = fronted
    root = x509.facts(quick.root_pem(1)).issuer_name.removeprefix("CN=")
    front.inject(act, path, times=None)
    desk = machine.desk()

    issued = machine.registered(preferred_chain=root).obtain(machine.request("chain.test"), desk)

    assert issued.facts.hostnames == ("chain.test",)
    assert x509.facts(issued.chain).issuer_name != f"CN={root}"
    assert _orders(front) == 1
    said = [call for call in desk.calls if root in call]
    assert len(said) == 1, desk.calls
    assert said[0].endswith("; going on with its own choice")


def test_what_says_nothing_of_the_certificate_leaves_the_order(fronted: Fronted) -> None:
    """The CA's own server shows a certificate that is not trusted when the new one is fetched."""
    machine, front = fronted
    issuer, desk, trusted = machine.registered(), machine.desk(), front.bundle.read_bytes()

    def distrust(request: faults.Request, forward: faults.Forward) -> faults.Reply:
        front.bundle.write_bytes(make_identity(front.bundle.parent / "other", "localhost").bundle.read_bytes())
        return faults.drop_before(request, forward)

    front.inject(distrust, "/certZ/")
    with pytest.raises(Failed) as caught:
        issuer.obtain(machine.request("later.test"), desk)
    front.bundle.write_bytes(trusted)
    issued = issuer.obtain(machine.request("later.test"), desk)

    assert caught.value.reason == "CaUntrusted"
    assert issued.facts.hostnames == ("later.test",)
    assert _orders(front) == 1


@pytest.mark.parametrize("status", ["ready", "pending"])
def test_an_order_that_stays_as_it_was_is_finalized_with_pauses(
    fronted: Fronted, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    machine, front = fronted
    monkeypatch.setattr("reconciler.issuers.acme.pacing._PATIENCE", 0.5)
    issuer, desk = machine.registered(), machine.desk()
    stop = faults.refuse(403, problem="unauthorized", detail="too fast")

    def stay(request: faults.Request, forward: faults.Forward) -> faults.Reply:
        if front.count("/finalize-order/", forwarded=False) > 50:
            return stop(request, forward)
        order = {"status": status, "authorizations": [f"{front.url}/authZ/x"], "finalize": front.url + request.path}
        return faults.Reply(200, (("Content-Type", "application/json"),), json.dumps(order).encode())

    front.inject(stay, "/finalize-order/", times=None)
    with pytest.raises(Waiting) as caught:
        issuer.obtain(machine.request("stays.test"), desk)
    front.heal()

    assert (caught.value.reason, str(caught.value)) == (
        "InFlight",
        "waiting for the CA to see that all names are proven",
    )
    assert issuer.obtain(machine.request("stays.test"), desk).facts.hostnames == ("stays.test",)
    assert _orders(front) == 1


def _without(kind: str) -> Act:
    def change(value: Any) -> Any:  # noqa: ANN401  JSON may be anything
        return {**value, "challenges": [one for one in value["challenges"] if one["type"] != kind]}

    return faults.edit_json(change)


def test_a_challenge_that_the_ca_withdraws(fronted: Fronted) -> None:
    """It no longer offers what we have: said with what it offers, nothing presented, nothing asked."""
    failure = _fails(fronted, _without("http-01"), "/authZ/")

    assert isinstance(failure, Stalled)
    assert failure.reason == "NoUsableChallenge"
    assert "fault.test: the CA offers " in str(failure)
    assert "to be proven by: http (http-01)" in str(failure)


@pytest.mark.parametrize("skip", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize(("status", "why"), [("expired", "expired"), ("deactivated", "key"), ("revoked", "revoked")])
def test_an_authorization_that_is_over(fronted: Fronted, status: str, why: str, skip: int) -> None:
    """Whether before we present anything or while the CA looks: told, and the next attempt makes a new order."""
    machine, front = fronted
    issuer, desk = machine.registered(), machine.desk()
    front.inject(faults.set_fields(status=status, challenges=[]), "/authZ/", times=None, skip=skip)
    with pytest.raises(NamesFailed) as caught:
        issuer.obtain(machine.request("over.test"), desk)
    (failure,) = caught.value.failures
    assert (failure.reason, failure.blame, failure.hostname) == ("ChallengeFailed", "ca", "over.test")
    assert why in str(failure)
    assert str(failure).endswith("the next attempt makes a new order")
    assert (desk.record, machine.store.published) == (None, {})
    front.heal()
    assert issuer.obtain(machine.request("over.test"), desk).facts.hostnames == ("over.test",)
    assert _orders(front) == 2


def test_a_challenge_that_is_gone_when_it_is_answered(fronted: Fronted) -> None:
    failure = _fails(fronted, faults.refuse(404, problem="malformed", detail="no such challenge"), "/chalZ/")

    assert isinstance(failure, Failed)
    assert failure.blame == "ca"
    assert "no such challenge" in str(failure)
    assert failure.url is not None


def test_a_name_that_is_proven_already_is_not_proven_again(tmp_path: Path, dns: Challtestsrv) -> None:
    """The CA lets an earlier proof stand: nothing is presented, and nobody comes."""
    with (
        pebble(tmp_path, dns.dns, Options(authz_reuse=100)) as ca,
        rig(tmp_path / "machine", ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        machine.registered().obtain(machine.request("twice.test"), machine.desk())
        machine.method = replace(machine.method, way=Listener(free_port()))
        again = machine.registered().obtain(machine.request("twice.test"), machine.desk())
        assert machine.store.published == {}
    assert {name: how.type for name, how in again.challenges.items()} == {"twice.test": "http-01"}


def test_a_wrong_clock_at_the_ca(fronted: Fronted) -> None:
    machine, front = fronted
    machine.registered()
    front.inject(faults.set_header("Date", "Wed, 01 Jan 2020 00:00:00 GMT"), times=None)
    machine.restart()
    desk = machine.desk()

    with pytest.raises(Waiting) as caught:
        machine.issuer().obtain(machine.request("date.test"), desk)

    assert caught.value.reason == "ClockWrong"
    assert desk.record is None


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -0100"])
def test_a_clock_at_the_end_of_time(fronted: Fronted, date: str) -> None:
    machine, front = fronted
    front.inject(faults.set_header("Date", date), times=None)
    issuer = machine.registered()
    time.sleep(1.1)  # what is added to it since then leads beyond

    with pytest.raises(Waiting) as caught:
        issuer.obtain(machine.request("date.test"), machine.desk())

    assert caught.value.reason == "ClockWrong"
    assert "the CA's 9999-12-31 23:59" in str(caught.value)


@pytest.mark.parametrize("date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "yesterday", "\xff"])
def test_a_date_that_is_none_is_passed_over(fronted: Fronted, date: str) -> None:
    machine, front = fronted
    front.inject(faults.set_header("Date", date), times=None)

    assert machine.obtain("date.test").facts.hostnames == ("date.test",)


def test_an_order_until_the_end_of_time(fronted: Fronted) -> None:
    machine, front = fronted
    issuer, desk = machine.registered(), machine.desk()
    front.inject(faults.set_fields(expires="9999-12-31T23:59:59-01:00"), "/order-plz", times=None)

    assert issuer.obtain(machine.request("ever.test"), desk).facts.hostnames == ("ever.test",)
    assert desk.saved[-1].expires == datetime.max.replace(tzinfo=UTC)


def test_a_newer_start_sends_no_storm_of_newnonce(fronted: Fronted) -> None:
    machine, front = fronted
    issuer = machine.registered()
    front.forget()

    for number in range(10):
        issuer.obtain(machine.request(f"calm{number}.test"), machine.desk())

    assert front.count("nonce", forwarded=False) <= 2
    assert front.connections <= 3


def test_each_request_is_told_on_demand_without_what_was_signed(fronted: Fronted) -> None:
    machine, front = fronted
    front.inject(faults.refuse(429, problem="rateLimited", detail="slow \x1b down"), "/order-plz", times=1)
    stream = io.StringIO()
    log.to_stderr(2, stream)
    try:
        machine.obtain("told.test")
    except CertwrightError:
        machine.obtain("told.test")
    finally:
        log.to_stderr(0, io.StringIO())
    told = stream.getvalue()
    assert re.search(
        rf"request POST {front.url}/order-plz -> 201 application/json, \d+ bytes, \d+ ms$", told, re.MULTILINE
    )
    assert "/order-plz -> 429 application/problem+json" in told
    assert r"slow \u001b down" in told
    assert "signature" not in told
