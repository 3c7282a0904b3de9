"""R36: visitors who only hold the line, send too much or ask for anything else stop nobody and grow nothing."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges import listener
from reconciler.challenges.http01 import ListenerSolver
from reconciler.challenges.ports import Ports
from reconciler.challenges.tls_alpn01 import TlsAlpnSolver, check_listener
from reconciler.model.desired import Listener
from tests.builders import MemoryStore, SteadyClock
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PROOF = f"{TOKEN}.{'a' * 43}"
ASKED = f"GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()


@pytest.fixture(name="port")
def _port(tmp_path: Path) -> Iterator[int]:
    store, port = MemoryStore(), free_port()
    ports = Ports(store, str(tmp_path / "locks"), SteadyClock())
    solver = ListenerSolver(Listener(port, "127.0.0.1"), store, ports)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    yield port
    ports.close()


def _ask(port: int, request: bytes = ASKED, source: str = "127.0.0.1") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0)) as sock:
        sock.sendall(request)
        answer = b""
        while block := sock.recv(4096):
            answer += block
        return answer


@pytest.mark.parametrize("same_address", [True, False])
def test_a_thousand_silent_visitors_and_the_ca_is_served(port: int, same_address: bool) -> None:  # noqa: FBT001
    threads = threading.active_count()
    with ExitStack() as stack:
        for number in range(1000):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1" if same_address else f"127.0.{number // 250}.{number % 250 + 2}", 0))
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
        start = time.monotonic()

        answer = _ask(port, source="127.9.9.9")

        assert answer.endswith(PROOF.encode())
        assert time.monotonic() - start < 2
        assert threading.active_count() <= threads


def test_who_only_holds_the_line_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LIFE_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        start = time.monotonic()
        sock.sendall(b"GET / HT")
        assert sock.recv(10) == b""
        assert time.monotonic() - start < 1.5


def test_who_drips_has_the_same_life(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LIFE_SECONDS", 0.3)
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock, suppress(ConnectionError):
        for _ in range(100):
            sock.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - start < 2


def test_a_long_request_is_answered_with_404(port: int) -> None:
    answer = _ask(port, b"GET / HTTP/1.1\r\nX: " + b"a" * 4200)

    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.test/.well-known/acme-challenge/x HTTP/1.1",
        b"\x00\x01\x02",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        f"GET /.well-known/acme-challenge/{TOKEN}%0d%0aX HTTP/1.1".encode(),
        f"get /.well-known/acme-challenge/{TOKEN} HTTP/1.1".encode(),
        f"GET  /.well-known/acme-challenge/{TOKEN} HTTP/1.1".encode(),
    ],
)
def test_anything_else_gets_one_constant_answer(port: int, request_line: bytes) -> None:
    answer = _ask(port, request_line + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"\r\n\r\nnot found\n")


def test_the_listener_goes_on_after_all_that(port: int) -> None:
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(ASKED[:30])
    assert _ask(port).endswith(PROOF.encode())


def test_a_thousand_silent_visitors_and_the_handshake_of_the_ca_succeeds(tmp_path: Path) -> None:
    store, way, threads = MemoryStore(), Listener(free_port(), "127.0.0.1"), threading.active_count()
    ports = Ports(store, str(tmp_path / "locks"), SteadyClock())
    solver = TlsAlpnSolver(way, store, ports)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    with ExitStack() as stack:
        for number in range(1000):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.{number // 250}.{number % 250 + 2}", 0))
            sock.settimeout(5)
            sock.connect(("127.0.0.1", way.port))
            sock.sendall(b"\x16\x03\x01\x02\x00")

        check_listener(way, "a.test", PROOF)

        assert threading.active_count() <= threads + 1
    ports.close()
