"""R11: a port that is looked at gets fixed words from us, and may neither keep us, fill us, nor slip words into TLS."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import tls
from reconciler.errors import Failed
from tests.servers.identity import make_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.desired import StartTlsProtocol

GOOD: dict[StartTlsProtocol, list[bytes]] = {
    "imap": [b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"* BYE no\r\ncertwright OK begin\r\n"],
    "pop3": [b"+OK hello\r\n", b"+OK begin\r\n"],
    "smtp": [b"220-wait\r\n220 mail ESMTP\r\n", b"250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"220 2.0.0 go\r\n"],
}
SAID = {
    "imap": b"certwright STARTTLS\r\n",
    "pop3": b"STLS\r\n",
    "smtp": b"EHLO certwright.invalid\r\nSTARTTLS\r\n",
}


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Talk with one visitor."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with suppress(OSError):
                visitor, _ = listener.accept()
                with visitor:
                    visitor.settimeout(10)
                    talk(visitor)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(15)


def look(port: int, protocol: StartTlsProtocol, timeout: float = 5.0) -> tls.Peer:
    return tls.handshake("127.0.0.1", port, "a.example", timeout=timeout, starttls=protocol)


@pytest.mark.parametrize("protocol", GOOD)
def test_the_words_are_fixed_and_the_handshake_follows(protocol: StartTlsProtocol, tmp_path: Path) -> None:
    heard = []
    context = make_identity(tmp_path, "a.example").server_context()

    def talk(visitor: socket.socket) -> None:
        greeting, *answers = GOOD[protocol]
        visitor.sendall(greeting)
        for answer in answers:
            heard.append(visitor.recv(1000))
            visitor.sendall(answer)
        with context.wrap_socket(visitor, server_side=True) as wrapped:
            wrapped.recv(1)

    with serving(talk) as port:
        assert look(port, protocol).fingerprint
    assert b"".join(heard) == SAID[protocol]


@pytest.mark.parametrize("protocol", GOOD)
def test_words_after_the_answer_never_reach_tls(protocol: StartTlsProtocol, tmp_path: Path) -> None:
    context = make_identity(tmp_path, "a.example").server_context()

    def talk(visitor: socket.socket) -> None:
        greeting, *answers = GOOD[protocol]
        visitor.sendall(greeting)
        for answer in answers:
            visitor.recv(1000)
            visitor.sendall(answer + (b"slipped in\r\n" if answer is answers[-1] else b""))
        with context.wrap_socket(visitor, server_side=True):
            pass

    with serving(talk) as port, pytest.raises(Failed) as failure:
        look(port, protocol)
    assert failure.value.reason in ("NoTls", "HandshakeFailed")


@pytest.mark.parametrize(
    "sent",
    [
        *(b"550 \x1b[2J no\r\n", b"* BYE\r\n", b"x" * 5000, b"220-" + b"y" * 5000),
        *(b"220-more\r\n" * 5000, b"\0\r\n", b"\r\n"),
    ],
)
@pytest.mark.parametrize("protocol", GOOD)
def test_a_bad_greeting_ends_it_at_once(sent: bytes, protocol: StartTlsProtocol) -> None:
    def talk(visitor: socket.socket) -> None:
        visitor.sendall(sent)
        visitor.recv(1)

    started = time.monotonic()
    with serving(talk) as port, pytest.raises(Failed, match=r"\A[ -~]{1,300}…?\Z") as failure:
        look(port, protocol)
    assert failure.value.reason in ("NoTls", "HandshakeFailed")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("protocol", GOOD)
def test_a_port_that_refuses_or_hangs_up_is_said_so(protocol: StartTlsProtocol) -> None:
    def refuse(visitor: socket.socket) -> None:
        visitor.sendall(GOOD[protocol][0])
        visitor.recv(1000)
        visitor.sendall(b"502 5.5.1 not here\r\n")
        visitor.recv(1000)

    with serving(refuse) as port, pytest.raises(Failed, match="refuses to begin TLS: 502"):
        look(port, protocol)
    with serving(lambda visitor: visitor.sendall(GOOD[protocol][0][:2])) as port, pytest.raises(Failed):
        look(port, protocol)


def test_all_of_it_has_one_deadline() -> None:
    def drip(visitor: socket.socket) -> None:
        for _ in range(300):
            visitor.sendall(b"2")
            time.sleep(0.1)

    started = time.monotonic()
    with serving(drip) as port:
        with pytest.raises(Failed) as failure:
            look(port, "smtp", timeout=0.5)
        assert time.monotonic() - started < 10, "it drips for half a minute"
    assert failure.value.reason == "Timeout"
