from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.self_test import check_fetch
from reconciler.doors.http import fetching
from reconciler.doors.http.fetching import fetch
from reconciler.errors import Failed
from tests.servers.dripping import HEADER, INTERIM, STATUS, dripping
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "t" * 43
PROOF = f"{TOKEN}.{'k' * 43}"
PATH = f"/.well-known/acme-challenge/{TOKEN}"


@contextmanager
def answering(status: int, body: bytes = b"", location: str | None = None) -> Iterator[int]:
    """Run a web server that answers everything so, but PATH from `/moved` on; give its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            moved = self.path.startswith("/moved")
            self.send_response(200 if moved else status)
            if location is not None and not moved:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """Let whoever connects there hear nothing at all: the kernel accepts nobody beyond a full queue."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            visitor = stack.enter_context(socket.socket())
            visitor.settimeout(0)
            visitor.connect_ex((address, port))
        yield


def test_our_own_answer() -> None:
    with answering(200, f"{PROOF}\n".encode()) as port:
        check_fetch("127.0.0.1", TOKEN, PROOF, port)
    with answering(302, PROOF.encode(), "/moved") as port:
        check_fetch("127.0.0.1", TOKEN, PROOF, port)


def test_a_name_that_this_machine_does_not_know_is_looked_for_where_the_caller_says() -> None:
    asked: list[str] = []

    def find(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("127.0.0.2", "127.0.0.1") if name == "here.invalid" else ()

    with answering(200, PROOF.encode()) as port:
        check_fetch("here.invalid", TOKEN, PROOF, port, find)
        with pytest.raises(Failed, match=r"away.invalid does not resolve"):
            check_fetch("away.invalid", TOKEN, PROOF, port, find)
        check_fetch("127.0.0.1", TOKEN, PROOF, port, find)
    assert asked == ["here.invalid", "away.invalid"]


@pytest.mark.parametrize(
    ("status", "body", "location", "words"),
    [
        (404, b"", None, "answers 404"),
        (200, b"<html>\x1b[31m", None, r"something else here, beginning with: <html>\\x1b"),
        (200, b"x" * 100_000, None, "something else"),
        (302, b"", "http://127.0.0.1:9/x", "where no CA goes"),
        (302, b"", "ftp://127.0.0.1/x", "where no CA goes"),
        (302, b"", "/again", "more than 5 redirects"),
    ],
)
def test_what_else_is_there(status: int, body: bytes, location: str | None, words: str) -> None:
    with answering(status, body, location) as port, pytest.raises(Failed, match=words) as caught:
        check_fetch("127.0.0.1", TOKEN, PROOF, port)
    assert (caught.value.reason, caught.value.blame) == ("SelfTestFailed", "local")


def test_nobody_there() -> None:
    with pytest.raises(Failed, match="cannot be fetched from here: Connection refused"):
        check_fetch("127.0.0.1", TOKEN, PROOF, free_port())


def test_who_never_answers_is_waited_for_no_longer_than_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Failed, match="no answer within"):
        fetch("127.0.0.1", server.getsockname()[1], PATH, seconds=0.2)


@pytest.mark.parametrize(
    ("piece", "first"),
    [
        (HEADER[:1], b""),
        (INTERIM, b""),
        (HEADER[:1], STATUS),
        (b"x", STATUS + b"Content-Length: 4096\r\n\r\n"),
        (b"1\r\nx\r\n", STATUS + b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_who_answers_for_ever_is_waited_for_no_longer_than_told(piece: bytes, first: bytes) -> None:
    start = time.monotonic()
    with dripping(piece, first) as port, pytest.raises(Failed, match="no answer within"):
        fetch("127.0.0.1", port, PATH, seconds=0.3)
    assert time.monotonic() - start < 10


def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    with answering(200, b"here") as port, silent("127.0.0.2", port):
        began = time.monotonic()
        found = fetch("here.invalid", port, "/", seconds=4.0, find=lambda _: ("127.0.0.2", "127.0.0.1"))
        assert time.monotonic() - began > 1.9, "the first has half of the time"
    assert found[1] == b"here"


def test_a_handshake_that_is_never_done_is_waited_for_no_longer_than_told() -> None:
    start = time.monotonic()
    # a record of TLS that is announced as long and comes byte by byte
    with dripping(b"\0", b"\x16\x03\x03\x40\x00") as port, answering(302, location=f"https://127.0.0.1:{port}/") as own:
        with pytest.raises(Failed, match="where no CA goes"):
            fetch("127.0.0.1", own, PATH, seconds=0.3)
        connection = http.client.HTTPSConnection("127.0.0.1", port)
        with pytest.raises(TimeoutError):
            fetching._dialled(connection, time.monotonic() + 0.3, None)
    assert time.monotonic() - start < 10
