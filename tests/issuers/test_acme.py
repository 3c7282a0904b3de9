from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import x509
from reconciler.errors import Failed, Stalled, Waiting
from reconciler.issuers.acme.issuer import AcmeIssuer, Sessions
from reconciler.model.desired import ExternalAccount, Listener, SecretRef
from reconciler.model.names import KeyType
from reconciler.model.observed import Proven
from tests.builders import Crash, MemoryDesk, SteadyClock, crashing
from tests.rig import Rig, rig
from tests.servers.pebble import Options, Pebble, pebble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv


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
    dns.set_a("away.test", "127.0.0.99")
    desk = rig.desk()
    try:
        with pytest.raises(Failed) as caught:
            rig.registered().obtain(rig.request("here.test", "away.test"), desk)
    finally:
        dns.set_a("away.test")

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


def test_killed_while_the_ca_looks_a_dead_order_is_replaced(rig: Rig, dns: Challtestsrv) -> None:
    dns.set_a("late.test", "127.0.0.99")
    desk = rig.desk()
    # whoever connects there waits until we are dead, and we die once somebody has
    with socket.create_server(("127.0.0.99", _port(rig))) as server, crashing():
        server.settimeout(10)

        def die() -> None:
            server.accept()[0].close()
            raise Crash

        rig.clock.on_wait = die
        rig.registered().obtain(rig.request("late.test"), desk)
    dns.set_a("late.test")
    rig.restart()
    desk.solvers = rig.desk().solvers
    time.sleep(0.5)

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


def test_an_account_is_registered_once_and_its_key_is_stored_first(rig: Rig) -> None:
    first = rig.issuer(email="a@example.test").register()
    second = rig.issuer(email="a@example.test").register()
    changed = rig.issuer(email="b@example.test").register()

    assert first == second
    assert (changed.url, changed.contact) == (first.url, ("mailto:b@example.test",))
    assert rig.store.writes[:2] == ["account None", f"account {first.url}"]


def test_an_account_whose_url_was_lost_in_a_crash_is_found_again(rig: Rig) -> None:
    first = rig.issuer().register()
    key = rig.directory, "default"
    rig.store.records[key] = replace(first, url=None)
    rig.restart()

    assert rig.issuer().register().url == first.url


def test_a_lost_key_is_never_replaced_silently(rig: Rig) -> None:
    rig.issuer().register()
    rig.store.keys.clear()
    rig.restart()

    with pytest.raises(Stalled, match="would break CAA") as caught:
        rig.issuer().register()

    assert caught.value.reason == "AccountMissing"
    assert rig.store.keys == {}


def test_a_ca_that_was_rebuilt_does_not_know_the_account(tmp_path: Path, dns: Challtestsrv, quick: Pebble) -> None:
    with rig(tmp_path, quick.directory, quick.bundle, quick.http_port) as machine:
        machine.issuer().register()
        with pebble(tmp_path / "rebuilt", dns.dns, Options(retry_after=(0, 0))) as rebuilt:
            record = machine.store.records[quick.directory, "default"]
            key = machine.store.keys[quick.directory, "default"]
            url = f"https://127.0.0.1:{rebuilt.port}/my-account/1"
            machine.store.records[rebuilt.directory, "default"] = replace(record, directory=rebuilt.directory, url=url)
            machine.store.keys[rebuilt.directory, "default"] = key
            issuer = machine.issuer(directory=rebuilt.directory, bundle=rebuilt.bundle)
            with pytest.raises(Stalled) as caught:
                issuer.obtain(machine.request("rebuilt.test"), machine.desk())

    assert caught.value.reason == "AccountMissing"


def test_terms_that_are_not_agreed_to_are_told_with_their_place(rig: Rig) -> None:
    with pytest.raises(Stalled, match="Do%20what%20thou%20wilt") as caught:
        rig.issuer(agree_to_terms=False).register()

    assert caught.value.reason == "TermsNotAgreed"
    assert rig.store.keys == {}


def test_obtaining_without_an_account_fails_until_it_is_registered(rig: Rig) -> None:
    with pytest.raises(Failed) as caught:
        rig.issuer().obtain(rig.request("early.test"), rig.desk())

    assert caught.value.reason == "AccountNotRegistered"


def test_external_account_binding(tmp_path: Path, dns: Challtestsrv) -> None:
    mac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    settings = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": mac}}
    options = Options(retry_after=(0, 0), settings=settings)
    with (
        pebble(tmp_path / "pebble", dns.dns, options) as ca,
        rig(tmp_path, ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        with pytest.raises(Stalled) as without:
            machine.issuer().register()
        machine.secrets["hmac"] = f"{mac}\n".encode()
        eab = ExternalAccount("kid-1", SecretRef(file="hmac"))
        record = machine.issuer(eab=eab).register()
        machine.secrets["bad"] = b"not base64url: \xff"
        with pytest.raises(Failed) as bad:
            machine.issuer(eab=ExternalAccount("kid-1", SecretRef(file="bad")), account="bad").register()

    assert without.value.reason == "ExternalAccount"
    assert record.url is not None
    assert bad.value.reason == "BadKey"


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


def test_two_processes_register_one_account(rig: Rig) -> None:
    other = Sessions(rig.clock, version="0")
    issuers = [rig.issuer(), AcmeIssuer(rig.issuer().spec, rig.means, other)]

    with ThreadPoolExecutor(2) as pool, closing(other):
        records = list(pool.map(lambda issuer: issuer.register(), issuers))

    assert records[0] == records[1]
    assert rig.store.writes == ["account None", f"account {records[0].url}"]


def test_plain_http_to_this_machine(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = f"http://{self.headers['Host']}"
            places = {name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder")}
            body = json.dumps({**places, "meta": {"termsOfService": "https://terms.test/"}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        directory = f"http://127.0.0.1:{server.server_address[1]}/dir"
        with rig(tmp_path, directory, tmp_path / "unused", 1) as machine:
            with pytest.raises(Stalled) as refused:
                machine.issuer(bundle=None, agree_to_terms=False).register()
            with pytest.raises(Stalled, match=r"https://terms\.test/") as terms:
                machine.issuer(bundle=None, agree_to_terms=False, allow_insecure=True).register()
        server.shutdown()

    assert (refused.value.reason, terms.value.reason) == ("InsecureDirectory", "TermsNotAgreed")


def test_the_in_memory_parts_are_what_they_stand_for() -> None:
    clock = SteadyClock()
    clock.stop()

    assert clock.wait(5)
    assert MemoryDesk().order() is None


def _port(rig: Rig) -> int:
    assert isinstance(rig.method.way, Listener)
    return rig.method.way.port
