"""A CA that misbehaves: what is served stays, the site backs off with a time, others are not concerned."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, SERVER, WAY, Stage, document, held, site
from tests.program import Program
from tests.servers import faults
from tests.servers.front import front
from tests.servers.pebble import Options, pebble
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.engine import Report
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.faults import Act
    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

OTHER = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
FAULTS: dict[str, tuple[Act, str]] = {
    "500 at newOrder": (faults.refuse(500), "order-plz"),
    "503 everywhere": (faults.refuse(503), ""),
    "a web page at newOrder": (faults.html(), "order-plz"),
    "a web page as directory": (faults.html(), "/dir"),
    "dropped before finalize": (faults.drop_before, "finalize"),
    "truncated certificate": (faults.truncate(40), "certZ"),
    "rubbish as certificate": (faults.set_body(OTHER), "certZ"),
    "a token that leaves its directory": (faults.set_tokens("../../etc/passwd"), "authZ"),
    "refused": (faults.refuse(403, problem="unauthorized"), "order-plz"),
    "rate limited": (faults.refuse(429, problem="rateLimited", retry_after="3600"), "order-plz"),
}


def write(stage: Stage, ca: Front | Pebble, port: int, *sites: dict[str, object]) -> None:
    stage.write(
        "all.yaml",
        document("Server", "home", SERVER),
        document("Issuer", "pebble", {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle)}),
        document("ChallengeMethod", "own", {**WAY, "listener": {"port": port}}),
        *sites,
    )


def acme_site(name: str, *hostnames: str, **spec: object) -> dict[str, object]:
    return site(name, *hostnames, issuers=["pebble"], challenges=[{"method": "own"}], **spec)


def renewed(stage: Stage, ca: Front | Pebble, port: int, value: str) -> tuple[Report, ...]:
    """Ask for a new certificate of `one`, and a first one of `two` by the embedded CA."""
    annotations = {"certwright/renewAt": value}
    write(stage, ca, port, acme_site("one", annotations=annotations), site("two", issuers=["ca"]))
    return stage.apply()


@pytest.fixture(name="served")
def _served(stage: Stage, front: Front, pebble: Pebble) -> Stage:
    """A stage whose site `one` has a good certificate."""
    write(stage, front, pebble.http_port, acme_site("one"))
    stage.settle()
    return stage


@pytest.mark.parametrize("what", FAULTS)
def test_old_certificate_stays_and_the_site_backs_off(served: Stage, front: Front, pebble: Pebble, what: str) -> None:
    before = served.live("one")
    act, path = FAULTS[what]
    fault = front.inject(act, path, times=None)
    reports = renewed(served, front, pebble.http_port, what)
    assert fault.met
    [issue] = [one for one in reports[0].outcomes if one.change.subject == "site/one" and one.change.verb == "issue"]
    assert issue.status in ("failed", "waiting")
    assert issue.message
    assert served.live("one").id == before.id, "what serves, stays"
    assert served.live("two").facts.hostnames == ("two.example.com",), "the other site is not concerned"
    failures = served.memory("one").failures["issue"]
    assert failures.last is not None
    # shown as a hold with its end, and nothing is asked of the CA meanwhile
    asked = len(front.seen)
    diff = served.diff()
    [hold] = [hold for hold in diff.plan.holds if hold.site == "one"]
    assert hold.until is not None or hold.ends_when
    assert hold.message
    served.apply()
    assert len(front.seen) == asked
    if hold.until is not None and hold.reason != "RateLimited":
        front.heal()
        served.shift = timedelta(minutes=30)
        served.settle()
        assert served.live("one").id != before.id


HASTE: Final = ("0", "1", "Wed, 02 Dec 2020 10:00:00 GMT")


@pytest.mark.parametrize("when", HASTE)
@pytest.mark.parametrize("path", ["order-plz", "/dir", "sign-me-up"])
def test_a_limit_that_is_over_at_once_is_no_leave_to_hammer(
    stage: Stage, front: Front, pebble: Pebble, path: str, when: str
) -> None:
    front.inject(faults.refuse(429, problem="rateLimited", retry_after=when, detail="too many"), path, times=None)
    write(stage, front, pebble.http_port, acme_site("one"))
    stage.apply()
    asked = len(front.seen)
    [hold] = stage.diff().plan.holds
    assert (hold.site, hold.reason, hold.failed) == ("one", "RateLimited", False)
    assert "too many" in hold.message
    assert hold.until is not None
    with stage.app(read_only=True) as app:
        assert timedelta(seconds=40) < hold.until - app.clock.now() <= timedelta(minutes=1)
    stage.apply()
    assert len(front.seen) == asked, "also by another process"
    front.heal()
    stage.shift = timedelta(minutes=2)
    stage.settle()


@pytest.mark.parametrize(("wish", "asks"), [("0", True), ("1800", False)])
def test_a_person_need_wait_as_long_as_the_ca_said_and_no_longer(
    stage: Stage, front: Front, pebble: Pebble, wish: str, *, asks: bool
) -> None:
    front.inject(faults.refuse(429, problem="rateLimited", retry_after=wish), "order-plz", times=None)
    write(stage, front, pebble.http_port, acme_site("one"))
    stage.apply()
    asked = len(front.seen)
    assert Program(stage.root)("retry", "one").returncode == 4
    assert (len(front.seen) > asked) is asks


def test_a_limit_on_registering_holds_the_sites_that_wait_for_it(stage: Stage, front: Front, pebble: Pebble) -> None:
    front.inject(faults.refuse(429, retry_after="1800"), "sign-me-up", times=None)
    write(stage, front, pebble.http_port, acme_site("one"), acme_site("two"))
    stage.apply()
    assert {hold.site: hold.reason for hold in stage.diff().plan.holds} == dict.fromkeys(("one", "two"), "RateLimited")
    asked = len(front.seen)
    for minutes in (5, 25):
        stage.shift = timedelta(minutes=minutes)
        stage.apply()
    assert len(front.seen) == asked
    front.heal()
    stage.shift = timedelta(minutes=31)
    stage.settle()


@pytest.mark.parametrize(("wish", "minutes"), [("1800", 30), (None, 1)])
def test_a_ca_that_makes_no_account_now_is_asked_again_at_its_own_pace(
    stage: Stage, front: Front, pebble: Pebble, wish: str | None, minutes: int
) -> None:
    """When it wishes, else as after any failure of a CA's; it is told when."""
    front.inject(faults.refuse(503, retry_after=wish), "sign-me-up", times=None)
    write(stage, front, pebble.http_port, acme_site("one"), acme_site("two"))
    reports = stage.apply()
    [register] = [one for one in reports[0].outcomes if one.change.verb == "register"]
    assert (register.status, register.again is not None) == ("failed", wish is not None)
    holds = stage.diff().plan.holds
    assert {(hold.site, hold.reason) for hold in holds} == {("one", "Backoff"), ("two", "Backoff")}
    with stage.app(read_only=True) as app:
        now = app.clock.now()
    for hold in holds:
        assert hold.until is not None
        assert timedelta(minutes=minutes - 1, seconds=40) < hold.until - now <= timedelta(minutes=minutes)
    asked = len(front.seen)
    stage.shift = timedelta(minutes=minutes, seconds=-30)
    stage.apply()
    assert len(front.seen) == asked
    front.heal()
    stage.shift = timedelta(minutes=minutes + 1)
    stage.settle()


def test_a_ca_that_does_not_answer_is_asked_once_for_all_sites(served: Stage, front: Front, pebble: Pebble) -> None:
    """Not by each of them in turn, each as patiently as the first."""
    fault = front.inject(faults.refuse(500), "/dir", times=None)
    names = ("one", *(f"s{number}" for number in range(20)))
    write(served, front, pebble.http_port, *(acme_site(name) for name in names))
    served.apply()
    assert fault.met <= 4
    assert {hold.site: hold.reason for hold in served.diff().plan.holds} == dict.fromkeys(names[1:], "Backoff")


def test_who_comes_while_a_ca_is_known_to_be_silent_is_told_so_and_tries_again_soon(
    served: Stage, front: Front, pebble: Pebble
) -> None:
    """A person who mends and edits within these seconds waits a minute at most, by itself."""
    fault = front.inject(faults.refuse(500), "/dir", times=None)

    def declare(*hostnames: str) -> None:
        write(served, front, pebble.http_port, acme_site("one"), acme_site("two", *hostnames))

    def ignore(_given: object) -> None:
        pass

    declare("two.example.com")
    with served.app() as app:
        app.engine.converge(FULL, app.executor(), Limits(), ignore, ignore)
        asked = fault.met
        front.heal()
        declare("two.example.com", "www.two.example.com")
        report = app.engine.converge(FULL, app.executor(), Limits(), ignore, ignore)[-1]
    [hold] = report.plan.holds
    assert fault.met == asked
    assert hold.message.startswith("1 attempt failed: ")
    assert "answered 500" in hold.message
    assert hold.message.endswith(" (asked in the last 5 s for others, and not once more)")
    assert hold.until is not None
    assert hold.until - report.now <= timedelta(minutes=1)
    served.shift = timedelta(minutes=2)
    served.settle()


def stays_pending(front: Front) -> None:
    """Make the CA say that every name is proven, and that the order is not ready."""
    front.inject(faults.refuse(403, problem="orderNotReady", detail="not yet"), "finalize", times=None)
    front.inject(faults.set_fields(status="pending"), "my-order", times=None)


def test_an_order_that_never_gets_ready_is_given_up(
    stage: Stage, front: Front, pebble: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.issuers.acme.pacing._PATIENCE", 0.5)
    monkeypatch.setattr("reconciler.issuers.acme.order._UNPROVEN_MOST", timedelta())
    stays_pending(front)
    write(stage, front, pebble.http_port, acme_site("one"))
    reports = stage.apply()
    [issue] = [one for one in reports[0].outcomes if one.change.verb == "issue"]
    assert (issue.status, issue.reason) == ("failed", "CaMisbehaves")
    assert "every name is proven, and that the order is not ready" in issue.message
    [hold] = stage.diff().plan.holds
    assert (hold.reason, hold.until is not None) == ("Backoff", True)
    front.heal()
    stage.shift = timedelta(minutes=2)
    stage.settle()


def test_who_waits_for_a_ca_is_told_so(stage: Stage, front: Front, pebble: Pebble) -> None:
    stays_pending(front)
    write(stage, front, pebble.http_port, acme_site("one"))
    argv = Program(stage.root).argv("apply")
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        lines = iter(child.stderr or ())
        told = next(line for line in lines if "still at it" in line and "proving" not in line)
        child.kill()
    assert told == "one: waiting for the CA to see that all names are proven (still at it)\n"


def test_answer_lost_after_finalize_costs_no_second_order(served: Stage, front: Front, pebble: Pebble) -> None:
    front.forget()
    front.inject(faults.drop_after, "finalize")
    renewed(served, front, pebble.http_port, "x")
    served.shift = timedelta(minutes=30)
    served.settle()
    assert front.count("order-plz", method="POST") == 1


def test_backoff_grows_and_survives_the_process(served: Stage, front: Front, pebble: Pebble) -> None:
    front.inject(faults.refuse(500), "order-plz", times=None)
    renewed(served, front, pebble.http_port, "x")
    pauses = []
    for _ in range(2):
        failures = served.memory("one").failures["issue"]
        assert failures.next_attempt is not None
        assert failures.last is not None
        pauses.append(failures.next_attempt - failures.last.at)
        with served.app(read_only=True) as app:
            now = app.clock.now()
        served.shift += failures.next_attempt - now + timedelta(seconds=1)
        served.apply()
    assert pauses == sorted(set(pauses)), "each longer than the one before"


def test_certificate_for_other_names_is_never_stored(stage: Stage, front: Front, pebble: Pebble) -> None:
    """The CA answers with a certificate that it gave to somebody else."""
    write(stage, front, pebble.http_port, acme_site("other"))
    stage.settle()
    stolen = stage.path("other", "fullchain.pem").read_bytes()
    front.inject(faults.set_body(stolen), "certZ", times=None)
    write(stage, front, pebble.http_port, acme_site("other"), acme_site("one"))
    reports = stage.apply()
    [issue] = [one for one in reports[0].outcomes if one.change.verb == "issue"]
    assert issue.status == "failed"
    assert not (stage.state / "live" / "one").exists()
    assert not list((stage.state / "certificates").glob("one/*"))
    assert ("one", "Backoff") in held(stage.diff()) or ("one", "Stalled") in held(stage.diff())


def test_a_certificate_for_another_key_is_waited_for(stage: Stage, front: Front, pebble: Pebble) -> None:
    """The command that is told asks again; `apply` would only tell that the site waits."""
    write(stage, front, pebble.http_port, acme_site("other"))
    stage.settle()
    front.inject(faults.set_body(stage.path("other", "fullchain.pem").read_bytes()), "certZ", times=None)
    write(stage, front, pebble.http_port, acme_site("other"), acme_site("one"))
    program = Program(stage.root)
    told = program("apply").stdout
    assert "KeyMismatch: " in told
    steps = [line.strip() for line in told.splitlines() if line.strip().startswith("next: ")]
    assert set(steps) == {f"next: mend the cause, then: certwright {program.flags()} retry one"}, told


@pytest.mark.parametrize("percent", [5, 50])
def test_rejected_nonces_are_no_failure(tmp_path: Path, dns: Challtestsrv, percent: int) -> None:
    stage, port = Stage(tmp_path), free_port()
    (tmp_path / "pebble").mkdir()
    options = Options(http_port=port, nonce_reject=percent)
    with pebble(tmp_path / "pebble", dns.dns, options) as ca, front(tmp_path, ca) as before:
        write(stage, before, port, *(acme_site(f"n{number}") for number in range(10)))
        reports = stage.settle()
        assert len(reports) <= 2
        # Pebble rejects before it looks at the payload, so repeats are no second orders
        made = [seen for seen in before.seen if "order-plz" in seen.path and seen.status == 201]
        assert len(made) == 10
