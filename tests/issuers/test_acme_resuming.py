"""An order is taken up wherever it was left, and given up where it cannot go on."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import x509
from reconciler.errors import Stalled, Waiting
from reconciler.model.desired import Listener
from reconciler.model.observed import Proven
from reconciler.model.stages import Way
from tests.builders import Crash, crashing
from tests.rig import Rig, rig
from tests.servers.pebble import Options, pebble
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.pebble import Pebble


def _steps(rig: Rig, name: str) -> int:
    desk = rig.desk()
    rig.registered().obtain(rig.request(name), desk)
    return sum(not call.startswith("say") for call in desk.calls)


def test_killed_at_every_call_of_the_desk_the_order_goes_on(rig: Rig) -> None:
    steps = _steps(rig, "counted.test")
    orders: list[int] = []
    for step in range(1, steps + 1):
        name = f"killed{step}.test"
        desk = rig.desk(crash_at=step)
        with crashing():
            rig.registered().obtain(rig.request(name), desk)
        left = desk.record
        rig.restart()
        desk.crash_at, desk.solvers = None, rig.desk().solvers

        issued = rig.registered().obtain(rig.request(name), desk)

        assert issued.facts.hostnames == (name,)
        assert x509.check_pair(issued.certificate, desk.key()) == issued.facts
        urls = {record.url for record in desk.saved if record.url is not None}
        orders.append(len(urls))
        assert left is None or left.url is None or urls == {left.url}
        assert rig.store.published == {}
    assert orders == [1] * steps, "no second order was needed at any of them"


def test_killed_while_the_ca_looks_a_dead_order_is_replaced(rig: Rig, dns: Challtestsrv, quick: Pebble) -> None:
    desk = rig.desk()
    ended = quick.log.read_text().count("set INVALID")
    # whoever connects there waits until we are dead, and we die once somebody has
    with (
        dns.leading("late.test", "127.0.0.99"),
        socket.create_server(("127.0.0.99", _port(rig))) as server,
        crashing(),
    ):
        server.settimeout(10)

        def die() -> None:
            server.accept()[0].close()
            raise Crash

        rig.clock.on_wait = die
        rig.registered().obtain(rig.request("late.test"), desk)
    rig.restart()
    desk.solvers = rig.desk().solvers
    until(lambda: quick.log.read_text().count("set INVALID") > ended, "the CA has given the authorization up")

    issued = rig.registered().obtain(rig.request("late.test"), desk)

    assert issued.facts.hostnames == ("late.test",)
    assert len({record.url for record in desk.saved if record.url}) == 2


def test_an_order_for_other_names_is_dropped(rig: Rig) -> None:
    desk = rig.desk(crash_at=4)
    with crashing():
        rig.registered().obtain(rig.request("old.test"), desk)
    desk.crash_at = None
    assert desk.record is not None
    assert desk.record.url is not None

    issued = rig.registered().obtain(rig.request("new.test"), desk)

    assert issued.facts.hostnames == ("new.test",)


def test_an_order_that_the_ca_forgot_is_dropped(rig: Rig) -> None:
    desk = rig.desk()
    rig.registered().obtain(rig.request("gone.test"), desk)
    assert desk.record is not None
    first = desk.record.url
    desk.record = replace(desk.record, url=f"{first}gone")

    rig.registered().obtain(rig.request("gone.test"), desk)

    assert desk.record.url not in {first, f"{first}gone"}


def test_an_expired_order_is_dropped(rig: Rig) -> None:
    desk = rig.desk()
    rig.registered().obtain(rig.request("expired.test"), desk)
    assert desk.record is not None
    first = desk.record.url
    desk.record = replace(desk.record, expires=datetime.now(UTC))

    rig.registered().obtain(rig.request("expired.test"), desk)

    assert desk.record.url != first


def test_a_stop_leaves_the_order_on_disk(rig: Rig) -> None:
    def stop(what: str) -> None:
        if what == "presented":
            rig.clock.stop()

    desk = rig.desk(on_call=stop)
    with pytest.raises(Waiting) as caught:
        rig.registered().obtain(rig.request("stop.test"), desk)
    assert caught.value.reason == "InFlight"
    assert desk.record is not None
    desk.on_call = None
    rig.restart()
    desk.solvers = rig.desk().solvers

    issued = rig.registered().obtain(rig.request("stop.test"), desk)

    assert issued.facts.hostnames == ("stop.test",)
    assert len({record.url for record in desk.saved if record.url}) == 1


def test_an_order_that_waits_goes_on_where_it_was(tmp_path: Path, dns: Challtestsrv) -> None:
    options = Options(retry_after=(60, 60))
    with (
        pebble(tmp_path / "pebble", dns.dns, options) as ca,
        rig(tmp_path, ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        desk, issuer = machine.desk(), machine.registered()
        issued = None
        for _ in range(100):
            try:
                issued = issuer.obtain(machine.request("again.test"), desk)
                break
            except Waiting:
                time.sleep(0.05)

    assert issued is not None
    assert issued.challenges == {"again.test": Proven("http", "http-01")}
    assert len({record.url for record in desk.saved if record.url}) == 1


@pytest.mark.parametrize("profile", ["default", "unknown"])
def test_an_order_in_a_persons_hands_keeps_its_profile(rig: Rig, profile: str) -> None:
    """Whatever the Issuer says meanwhile, also that it must have a profile that the CA has not got."""
    desk, request = rig.desk(), replace(rig.request("hand.test"), by_hand=True)
    first = rig.registered().offer(request, desk)

    later = rig.registered(profile=profile, profile_required=True)
    again = later.offer(request, desk)
    proven = later.prove(request, desk, {"hand.test": Way("http-01", rig.method)})
    assert desk.record is not None
    desk.record = replace(desk.record, stage="auto")
    issued = later.obtain(rig.request("hand.test"), desk)

    assert [again.order, proven.order] == [first.order, first.order]
    assert (proven.status, issued.profile) == ("ready", None)
    assert {record.url for record in desk.saved if record.url} == {first.order}


def test_a_way_that_is_named_and_not_offered_is_told_as_one_that_is_declared(rig: Rig) -> None:
    desk, request = rig.desk(), replace(rig.request("named.test"), by_hand=True)
    rig.registered().offer(request, desk)

    with pytest.raises(Stalled) as caught:
        rig.registered().prove(request, desk, {"named.test": Way("none-01")})

    assert caught.value.reason == "NoUsableChallenge"
    assert str(caught.value).startswith("named.test: the CA offers ")
    assert str(caught.value).endswith("; to be proven by: none-01")


def _port(rig: Rig) -> int:
    assert isinstance(rig.method.way, Listener)
    return rig.method.way.port
