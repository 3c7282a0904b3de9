from __future__ import annotations

import hashlib
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges import tls_listener
from reconciler.challenges.ports import Ports
from reconciler.challenges.tls_alpn01 import (
    TlsAlpnSolver,
    check_listener,
    identifier,
    published_name,
    server_name,
    withdraw,
)
from reconciler.doors import x509
from reconciler.doors.tls import handshake
from reconciler.errors import Failed
from reconciler.model.desired import Listener
from tests.builders import MemoryStore, SteadyClock
from tests.servers.ports import free_port
from tests.servers.processes import listens, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "t" * 43
OTHER = "u" * 43
KEY_AUTHORIZATION = f"{TOKEN}.{'k' * 43}"


class Ground:
    """A store, its ports and a solver at a free port of loopback."""

    def __init__(self, locks: Path) -> None:
        self.store, self.port = MemoryStore(), free_port()
        self.way = Listener(self.port, "127.0.0.1")
        self.ports = Ports(self.store, str(locks), SteadyClock())
        self.solver = TlsAlpnSolver(self.way, self.store, self.ports)

    def present(self, hostname: str, token: str = TOKEN) -> None:
        self.solver.present(self.solver.prepare("site", hostname, token), f"{token}.{'k' * 43}")

    def asks(self, name: str | None, *protocols: str) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(list(protocols))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise


@pytest.fixture(name="ground")
def _ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path / "locks")
    yield ground
    ground.ports.close()


def test_shows_the_proof_of_a_published_name(ground: Ground) -> None:
    ground.present("a.example.com")
    peer = handshake("127.0.0.1", ground.port, "A.example.com", timeout=5, alpn="acme-tls/1")
    assert peer.alpn == "acme-tls/1"
    names, proof = x509.challenge_shown(peer.chain_der[0])
    assert names == ("a.example.com",)
    assert proof == hashlib.sha256(KEY_AUTHORIZATION.encode()).digest()


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "::1"])
def test_addresses_are_asked_for_by_their_reverse_names(ground: Ground, address: str) -> None:
    ground.present(address)
    name = server_name(address)
    assert name.endswith(".arpa")
    assert identifier(name) == address
    peer = handshake("127.0.0.1", ground.port, name, timeout=5, alpn="acme-tls/1")
    assert x509.challenge_shown(peer.chain_der[0])[0] == (address,)


@pytest.mark.parametrize(
    ("name", "protocols"),
    [
        ("b.example.com", ("acme-tls/1",)),
        (None, ("acme-tls/1",)),
        ("a.example.com", ()),
        ("a.example.com", ("h2", "http/1.1")),
        ("a.example.com", ("acme-tls/1", "h2")),
    ],
)
def test_anybody_else_gets_an_alert_and_no_certificate(
    ground: Ground, name: str | None, protocols: tuple[str, ...]
) -> None:
    ground.present("a.example.com")
    with pytest.raises(ssl.SSLError) as caught:
        ground.asks(name, *protocols)
    assert any(word in str(caught.value) for word in (" alert ", "unrecognized name"))


def test_a_silent_client_loses_the_line_after_two_seconds(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_listener.LIFE_SECONDS == 2.0
    monkeypatch.setattr(tls_listener, "LIFE_SECONDS", 0.3)
    ground.present("a.example.com")
    with socket.create_connection(("127.0.0.1", ground.port), timeout=5) as slow:
        slow.sendall(b"\x16\x03\x01\x01\x00\x01")
        started = time.monotonic()
        assert slow.recv(1) == b""
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"]
)
def test_what_is_no_client_hello_is_hung_up_on(ground: Ground, junk: bytes) -> None:
    ground.present("a.example.com")
    with socket.create_connection(("127.0.0.1", ground.port), timeout=5) as client:
        client.sendall(junk)
        assert client.recv(100) == b""
    check_listener(ground.way, "a.example.com", KEY_AUTHORIZATION)


def test_the_port_is_closed_when_the_last_proof_is_gone(ground: Ground) -> None:
    thing = ground.solver.prepare("site", "a.example.com", TOKEN)
    ground.solver.present(thing, KEY_AUTHORIZATION)
    withdraw(ground.store, thing)
    assert ground.store.tokens() == frozenset()
    until(lambda: not listens("127.0.0.1", ground.port), "the port is closed")


def test_another_orders_proof_of_the_same_name_is_not_taken_away(ground: Ground) -> None:
    mine = ground.solver.prepare("site", "a.example.com", TOKEN)
    ground.solver.present(mine, KEY_AUTHORIZATION)
    ground.present("a.example.com", OTHER)
    withdraw(ground.store, mine)
    assert ground.store.tokens() == {published_name("a.example.com")}


def test_the_self_test_says_what_is_wrong(ground: Ground) -> None:
    with pytest.raises(Failed, match="nothing listens") as caught:
        check_listener(ground.way, "a.example.com", KEY_AUTHORIZATION)
    assert caught.value.reason == "SelfTestFailed"
    ground.present("a.example.com")
    check_listener(ground.way, "a.example.com", KEY_AUTHORIZATION)
    with pytest.raises(Failed, match="something else"):
        check_listener(ground.way, "a.example.com", f"{OTHER}.{'k' * 43}")
