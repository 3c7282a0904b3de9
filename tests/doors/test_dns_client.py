from __future__ import annotations

import base64
import socket
import socketserver
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors.dns_client import api
from reconciler.errors import Failed
from reconciler.model.text import Secret
from tests.servers.bind import bind, key_block
from tests.servers.crooked import Crooked, crooked, honest
from tests.servers.ports import free_port
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.zones import NameServer

KEY = api.TsigKey(KEY_NAME, ALGORITHM, Secret(base64.b64decode(SECRET)))
NAME = "_acme-challenge.one.test"
RECORDS = (
    "alias CNAME www.other.test.",
    "long TXT " + " ".join(f'"{"x" * 200}{number}"' for number in range(4)),
    "long TXT " + " ".join(f'"{"y" * 200}{number}"' for number in range(4)),
    '@ CAA 0 issue "ca.example"',
    "child NS ns.child",
    "ns.child A 127.0.0.1",
    "six AAAA ::1",
)


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with bind(tmp_path_factory.mktemp("bind"), {"one.test": RECORDS, "sub.one.test": ()}) as server:
        yield server


def endpoint(server: NameServer | Crooked) -> api.Endpoint:
    return api.parse_endpoint(server.endpoint)


def reason(failure: pytest.ExceptionInfo[Failed]) -> tuple[str, str]:
    return failure.value.reason, str(failure.value)


def test_values_are_added_beside_others_and_taken_away_one_by_one(server: NameServer) -> None:
    at = endpoint(server)
    for value in ("one", "two", "two"):
        api.add_txt(at, "one.test", KEY, NAME, value, 30)
    assert sorted(api.ask(at, NAME, "TXT").records) == ["one", "two"]
    for value in ("one", "never there", "one"):
        api.remove_txt(at, "one.test", KEY, NAME, value)
    assert api.ask(at, NAME, "TXT").records == ("two",)
    api.remove_txt(at, "one.test", KEY, NAME, "two")
    assert not api.ask(at, NAME, "TXT").exists


@contextmanager
def tcp_alone(server: NameServer) -> Iterator[tuple[api.Endpoint, socket.socket]]:
    """Stand before a primary like a firewall that lets TCP pass alone; give where UDP comes in vain as well."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((server.address, server.port)) as primary:
                primary.sendall(self.request.recv(4096))
                self.request.sendall(primary.recv(4096))

    with (
        socketserver.TCPServer(("127.0.0.1", free_port()), Relay) as relay,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(relay.server_address)
        udp.settimeout(0)
        thread = threading.Thread(target=relay.serve_forever)
        thread.start()
        try:
            yield api.Endpoint("127.0.0.1", relay.server_address[1]), udp
        finally:
            relay.shutdown()
            thread.join()


def _received(udp: socket.socket) -> int:
    """Count the packets that came since the last call."""
    count = 0
    with suppress(BlockingIOError):
        while udp.recv(4096):
            count += 1
    return count


def test_a_primary_that_only_tcp_reaches_is_waited_for_once(server: NameServer) -> None:
    with tcp_alone(server) as (at, udp):
        api.add_txt(at, "one.test", KEY, NAME, "by tcp", 30)
        assert _received(udp) > 0
        api.remove_txt(at, "one.test", KEY, NAME, "by tcp")
        assert _received(udp) == 0, "it is not asked by UDP again"
    assert not api.ask(endpoint(server), NAME, "TXT").exists


def test_a_long_value_goes_by_tcp(server: NameServer) -> None:
    value = "x" * 400
    api.add_txt(endpoint(server), "one.test", KEY, NAME, value, 30)
    assert api.ask(endpoint(server), NAME, "TXT").records == (value,)
    api.remove_txt(endpoint(server), "one.test", KEY, NAME, value)


def test_zone_cut_by_soa(server: NameServer) -> None:
    at = endpoint(server)
    assert api.zone_at(at, "_acme-challenge.deep.one.test")[0] == api.Zone("one.test", 5)
    assert api.zone_at(at, "_acme-challenge.sub.one.test")[0].name == "sub.one.test"
    zone, said = api.zone_at(at, "alias.one.test")
    assert (zone.name, said.alias) == ("one.test", "www.other.test")
    with pytest.raises(Failed) as failure:
        api.zone_at(at, "_acme-challenge.two.test")
    assert reason(failure) == ("ZoneNotOurs", f"the name server {at} has no zone that holds _acme-challenge.two.test")


def test_what_an_answer_tells(server: NameServer) -> None:
    at = endpoint(server)
    assert api.ask(at, "alias.one.test", "TXT").alias == "www.other.test"
    assert api.ask(at, "one.test", "CAA").records == ('0 issue "ca.example"',)
    assert api.ask(at, "x.child.one.test", "TXT").referral == "child.one.test"
    missing = api.ask(at, "nothing.one.test", "TXT")
    assert (missing.rcode, missing.exists, missing.authoritative, missing.minimum) == ("NXDOMAIN", False, True, 5)
    assert len(api.ask(at, "long.one.test", "TXT").records) == 2, "too long for UDP: by TCP"


def test_name_servers_at_their_addresses(server: NameServer) -> None:
    found = api.name_servers([endpoint(server)], "one.test")
    assert [str(one) for one in found] == ["ns.one.test (127.0.0.1)"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (api.TsigKey(KEY_NAME, ALGORITHM, Secret(b"another")), "its key certwright has another secret or algorithm"),
        (api.TsigKey("nobody", ALGORITHM, KEY.secret), "it knows no key nobody with hmac-sha256"),
        (api.TsigKey(KEY_NAME, "hmac-sha512", KEY.secret), "it knows no key certwright with hmac-sha512"),
    ],
)
def test_a_wrong_key_is_told(server: NameServer, key: api.TsigKey, words: str) -> None:
    with pytest.raises(Failed) as failure:
        api.add_txt(endpoint(server), "one.test", key, NAME, "x", 30)
    assert reason(failure)[0] == "TsigRefused"
    assert words in str(failure.value)


def test_an_update_that_is_not_ours_is_told(server: NameServer) -> None:
    with pytest.raises(Failed) as failure:
        api.add_txt(endpoint(server), "two.test", KEY, "_acme-challenge.two.test", "x", 30)
    assert reason(failure)[0] == "ZoneNotOurs"


@pytest.mark.parametrize("name", ["one.test", "other.test", "_acme-challenge.one.test.other"])
def test_nothing_is_written_at_an_apex_or_elsewhere(server: NameServer, name: str) -> None:
    with pytest.raises(Failed, match=r"is not written into the zone one\.test"):
        api.add_txt(endpoint(server), "one.test", KEY, name, "x", 30)


def test_key_files() -> None:
    for text in (SECRET, f"  {SECRET}\n", key_block(), f"# made by hand\n{key_block()}"):
        assert api.parse_key_file(KEY_NAME, ALGORITHM, Secret(text.encode())) == KEY


@pytest.mark.parametrize(
    ("text", "algorithm", "words"),
    [
        (key_block("other"), ALGORITHM, "the key block in its file is for the key other, the manifest says certwright"),
        (key_block(algorithm="hmac-md5"), ALGORITHM, "hmac-md5, which is not accepted: make a key of hmac-sha256"),
        (
            key_block(algorithm="hmac-sha512"),
            ALGORITHM,
            "the manifest has hmac-sha256, as it does where it says nothing: write `algorithm: hmac-sha512`",
        ),
        (
            key_block(algorithm="HMAC-SHA256."),
            "hmac-sha384",
            "the manifest says hmac-sha384: write `algorithm: hmac-sha256`",
        ),
        (SECRET, "hmac-sha1", "its algorithm hmac-sha1 is not accepted"),
        ("no base64 at all!", ALGORITHM, "neither base64 nor a BIND"),
        ("key x {", ALGORITHM, "neither base64 nor a BIND"),
    ],
)
def test_key_files_that_do_not_fit(text: str, algorithm: str, words: str) -> None:
    with pytest.raises(Failed) as failure:
        api.parse_key_file(KEY_NAME, algorithm, Secret(text.encode()))
    assert words in str(failure.value)
    assert SECRET not in str(failure.value)


def test_a_silent_server_costs_five_seconds() -> None:
    with crooked(lambda _query, _how: None) as server:
        start = time.monotonic()
        with pytest.raises(Failed) as failure:
            api.ask(endpoint(server), NAME, "TXT")
        assert 4 < time.monotonic() - start < 7
    assert reason(failure)[0] == "DnsTimeout"
    assert server.asked[0] == f"udp {NAME}. TXT"
    assert server.asked[-1] == f"tcp {NAME}. TXT"


def test_nobody_there() -> None:
    with pytest.raises(Failed) as failure:
        api.ask(api.Endpoint("127.0.0.1", 1), NAME, "TXT")
    assert reason(failure)[0] == "DnsUnreachable"


def test_an_unsigned_yes_is_not_believed() -> None:
    def yes(query: dns.message.Message, _how: str) -> bytes:
        response = dns.message.Message(query.id)
        response.flags = dns.flags.QR
        response.set_opcode(query.opcode())
        response.question = list(query.question)
        return response.to_wire()

    with crooked(yes) as server, pytest.raises(Failed) as failure:
        api.add_txt(endpoint(server), "one.test", KEY, NAME, "x", 30)
    assert reason(failure)[0] == "TsigRefused"


@given(st.binary(max_size=80))
def test_any_key_file_is_read_or_refused(content: bytes) -> None:
    with suppress(Failed):
        assert api.parse_key_file(KEY_NAME, ALGORITHM, Secret(content)).secret.reveal()


@given(st.text(max_size=300))
def test_any_name_is_checked(text: str) -> None:
    try:
        name = api.checked_name(text)
    except Failed:
        return
    assert name.isascii()
    assert not set(name) & set(' \n"\\;(')


def test_honest_is_honest() -> None:
    with crooked(lambda query, _how: honest(query, f"{NAME} 30 TXT x")) as server:
        assert api.ask(endpoint(server), NAME, "TXT").records == ("x",)
