from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.http import posting
from reconciler.errors import Failed
from tests.servers.dripping import HEADER, INTERIM, STATUS, dripping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.pebble import Pebble


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def reply(content: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def post(url: str, bundle: str | None = None) -> posting.Reply:
    return posting.post_json(url, {"a": 1}, {"X-Key": "CANARY"}, ca_bundle=bundle)


def test_json_comes_back() -> None:
    with serving(reply(b'{"txt": "x"}')) as (url, _):
        assert post(f"{url}/update") == posting.Reply(200, {"txt": "x"})


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 60_000, b"\xff\xfe"])
def test_no_json_is_none(content: bytes) -> None:
    with serving(reply(content)) as (url, _):
        assert post(url) == posting.Reply(200, None)


def test_a_redirect_is_not_followed() -> None:
    with serving(reply(b"", 302, Location="/elsewhere")) as (url, seen):
        assert post(f"{url}/update").status == 302
    assert seen == ["/update"]


def test_an_endless_answer_is_cut_off() -> None:
    with serving(reply(b" " * 200_000)) as (url, _), pytest.raises(Failed, match="its answer is over 64 KiB"):
        post(url)


def test_a_dripping_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_SECONDS", 0.5)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(12):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    start = time.monotonic()
    with pytest.raises(Failed, match="it did not answer in time"), serving(drip) as (url, _):
        post(url)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(("piece", "first"), [(INTERIM, b""), (HEADER[:1], STATUS)])
def test_an_answer_that_never_begins_is_cut_off(monkeypatch: pytest.MonkeyPatch, piece: bytes, first: bytes) -> None:
    monkeypatch.setattr(posting, "_SECONDS", 0.5)
    start = time.monotonic()
    with dripping(piece, first) as port, pytest.raises(Failed, match="cannot be asked"):
        post(f"http://127.0.0.1:{port}/update")
    assert time.monotonic() - start < 2


def test_who_hangs_up_is_told_as_that() -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    def prattle(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"good morning\r\n\r\n")

    for answer, words in ((hang_up, "it hung up without an answer"), (prattle, "its answer is no HTTP")):
        with serving(answer) as (url, _), pytest.raises(Failed, match=words):
            post(url)


def test_nobody_there_and_strangers_without_tls() -> None:
    with pytest.raises(Failed, match="cannot be asked"):
        post("http://127.0.0.1:1/update")
    with pytest.raises(Failed, match=r"credentials are not sent to 192\.0\.2\.1 without TLS"):
        post("http://192.0.2.1/update")


def test_a_certificate_is_checked(pebble: Pebble) -> None:
    with pytest.raises(Failed, match="is not trusted") as failure:
        post(pebble.directory)
    assert "CANARY" not in str(failure.value)
    assert post(pebble.directory, str(pebble.bundle)).status == 415
