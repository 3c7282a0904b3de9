from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import x509
from reconciler.errors import Failed, Stalled, Waiting
from reconciler.model.names import KeyType
from reconciler.model.observed import Proven
from tests.builders import MemoryDesk, SteadyClock
from tests.rig import Rig, rig
from tests.servers import faults
from tests.servers.pebble import Options, Pebble, pebble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front


def test_two_names_are_proven_and_the_certificate_is_checked(rig: Rig) -> None:
    desk = rig.desk()
    issuer = rig.registered(email="ops@example.test")

    issued = issuer.obtain(rig.request("one.test", "two.test"), desk)

    assert sorted(issued.facts.hostnames) == ["one.test", "two.test"]
    assert issued.challenges == dict.fromkeys(("one.test", "two.test"), Proven("http", "http-01"))
    assert issued.account == rig.store.records[rig.directory, "default"].url
    assert issued.directory == rig.directory
    assert x509.check_pair(issued.certificate + issued.chain, desk.key()) == issued.facts
    assert rig.store.published == {}, "what was presented is taken away"
    assert desk.undo == {}


def test_an_address_and_a_name_stand_in_one_certificate(rig: Rig) -> None:
    issued = rig.obtain("127.0.0.1", "beside.test")

    assert set(issued.facts.hostnames) == {"127.0.0.1", "beside.test"}


@pytest.mark.parametrize("key_type", [KeyType.ECDSA_P384, KeyType.RSA_2048])
def test_the_key_is_the_one_on_the_desk(rig: Rig, key_type: KeyType) -> None:
    desk = rig.desk(key_type=key_type)

    issued = rig.registered().obtain(rig.request("key.test"), desk)

    assert issued.facts.key_type == key_type
    assert "rsa" in key_type or issued.facts.spki == x509.check_pair(issued.certificate, desk.key()).spki


def test_a_wildcard_with_http_01_only_is_refused_before_an_order_is_spent(rig: Rig) -> None:
    desk = rig.desk()
    issuer = rig.registered()

    with pytest.raises(Stalled, match=r"\*\.wild\.test.*dns-01") as caught:
        issuer.obtain(rig.request("*.wild.test"), desk)

    assert caught.value.reason == "NoUsableChallenge"
    assert desk.saved == []


def test_a_name_that_the_ca_cannot_see_fails_with_its_words(rig: Rig, dns: Challtestsrv) -> None:
    desk = rig.desk()
    with dns.leading("away.test", "127.0.0.99"), pytest.raises(Failed) as caught:
        rig.registered().obtain(rig.request("here.test", "away.test"), desk)

    failure = caught.value
    assert (failure.reason, failure.blame, failure.hostname, failure.method) == (
        "ChallengeFailed",
        "ca",
        "away.test",
        "http",
    )
    assert failure.type == "urn:ietf:params:acme:error:connection"
    assert "away.test" in str(failure)
    assert desk.record is None, "a failed authorization kills the order"
    assert desk.pending is not None, "the key waits for the next attempt"
    assert rig.store.published == {}


def test_a_refused_name_is_told_with_its_type(rig: Rig) -> None:
    with pytest.raises(Failed) as caught:
        rig.obtain("blocked.test")

    assert caught.value.reason == "CaRefused"
    assert caught.value.type == "urn:ietf:params:acme:error:rejectedIdentifier"
    assert caught.value.hostname in {None, "blocked.test"}


def test_a_preferred_chain_is_found_among_the_alternates(rig: Rig, quick: Pebble) -> None:
    root = x509.facts(quick.root_pem(1)).issuer_name.removeprefix("CN=")

    usual = rig.obtain("chain.test")
    other = rig.registered(preferred_chain=root).obtain(rig.request("chain.test"), rig.desk())

    assert x509.facts(usual.chain).issuer_name != f"CN={root}"
    assert x509.facts(other.chain).issuer_name == f"CN={root}"


@pytest.mark.parametrize("root", ["Foo, Inc. Root", "#1 Root+CA = <yes>", 'The "Best" Root\\'])
def test_a_preferred_chain_is_found_by_a_name_with_commas(fronted: tuple[Rig, Front], root: str) -> None:
    machine, front = fronted
    desk, now, names = machine.desk(), datetime.now(UTC), ("comma.test",)
    key, authority = x509.new_ca(root, "ecdsa-p256", timedelta(days=9), now)

    def signed(request: faults.Request, forward: faults.Forward) -> faults.Reply:
        csr = x509.make_csr(desk.key(), names)
        leaf = x509.sign(key, authority, csr, names, not_before=now, not_after=now + timedelta(days=9))
        return faults.set_body(leaf)(request, forward)

    front.inject(signed, "/alternate/", times=None)
    issued = machine.registered(preferred_chain=root).obtain(machine.request(*names), desk)

    assert x509.issuer_common_names(issued.certificate) == (root,)


def test_a_profile_is_sent_where_offered_and_demanded_where_required(rig: Rig) -> None:
    issued = rig.registered(profile="default").obtain(rig.request("profile.test"), rig.desk())
    without = rig.registered(profile="other").obtain(rig.request("profile.test"), rig.desk())
    with pytest.raises(Stalled, match="no profile other; it offers default") as caught:
        rig.registered(profile="other", profile_required=True).obtain(rig.request("profile.test"), rig.desk())

    assert (issued.profile, without.profile) == ("default", None)
    assert caught.value.reason == "ProfileMissing"


def test_half_of_all_nonces_refused_stops_nothing(tmp_path: Path, dns: Challtestsrv) -> None:
    options = Options(nonce_reject=50, retry_after=(0, 0))
    with (
        pebble(tmp_path / "pebble", dns.dns, options) as ca,
        rig(tmp_path, ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        issuer = machine.registered()

        def one(number: int) -> tuple[str, ...]:
            desk = machine.desk(site=f"s{number}")
            return issuer.obtain(machine.request(f"half{number}.test"), desk).facts.hostnames

        with ThreadPoolExecutor(4) as pool:
            names = list(pool.map(one, range(16)))

    assert names == [(f"half{number}.test",) for number in range(16)]


def test_a_clock_that_is_wrong_orders_nothing(rig: Rig) -> None:
    issuer = rig.registered()
    rig.clock.shift = timedelta(hours=3)
    desk = rig.desk()

    with pytest.raises(Waiting, match="set the clock") as caught:
        issuer.obtain(rig.request("clock.test"), desk)

    assert caught.value.reason == "ClockWrong"
    assert desk.saved == []
    rig.clock.shift = timedelta()
    assert issuer.obtain(rig.request("clock.test"), desk).facts.hostnames == ("clock.test",)


def test_a_machine_that_slept_asks_for_the_time_again(rig: Rig) -> None:
    issuer = rig.registered()
    session = rig.sessions.get(issuer.spec)
    assert session._date is not None
    text, date, seen = session._date
    session._date = text, date - timedelta(hours=9), seen

    assert issuer.obtain(rig.request("slept.test"), rig.desk()).facts.hostnames == ("slept.test",)


def test_a_pebble_that_asks_for_pauses_gets_them(tmp_path: Path, dns: Challtestsrv) -> None:
    options = Options(retry_after=(60, 60), sleep=True)
    with (
        pebble(tmp_path / "pebble", dns.dns, options) as ca,
        rig(tmp_path, ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        desk = machine.desk()
        before = datetime.now(UTC)
        with pytest.raises(Waiting) as caught:
            machine.registered().obtain(machine.request("patient.test"), desk)

    assert caught.value.reason == "InFlight"
    assert caught.value.until - before > timedelta(seconds=50)
    assert desk.record is not None
    assert machine.store.published != {}, "the answer stays while the CA looks"
    assert max(machine.clock.waits, default=0) <= 10


def test_the_in_memory_parts_are_what_they_stand_for() -> None:
    clock = SteadyClock()
    clock.stop()

    assert clock.wait(5)
    assert MemoryDesk().order() is None
