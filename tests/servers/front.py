"""A TLS reverse proxy before a CA that keeps the Host header, records what passes, and injects faults.

Pebble builds every URL from the Host header, so a client that was given the front's directory talks to the front
throughout, and the `url` in each JWS matches.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, cast

from tests.servers.faults import Act, Fault, Reply, Request
from tests.servers.identity import Identity, make_identity
from tests.servers.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.pebble import Pebble

_HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
_UPSTREAM_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange. `status` is what the client got, 0 if nothing; `forwarded` tells whether the CA executed it."""

    method: str
    path: str
    status: int
    forwarded: bool


class Front:
    """A running front: where it is, what passed, which faults wait."""

    def __init__(self, server: _Server, identity: Identity, path: str) -> None:
        """Wrap a server; `path` is the directory's path at the CA."""
        self._server = server
        self.identity = identity
        address, port = server.server_address[:2]
        self.url = f"https://{address!s}:{port}"
        self.directory = f"{self.url}{path}"

    @property
    def bundle(self) -> Path:
        """The CA bundle with which a client trusts the front."""
        return self.identity.bundle

    @property
    def seen(self) -> list[Seen]:
        """Every exchange so far, in the order of the answers."""
        return list(self._server.seen)

    def count(self, path: str, *, method: str | None = None, forwarded: bool = True) -> int:
        """Count exchanges whose path holds `path`; with `forwarded` only those that the CA executed."""
        return sum(
            path in one.path and method in (None, one.method) and (one.forwarded or not forwarded) for one in self.seen
        )

    @property
    def connections(self) -> int:
        """How many connections clients opened."""
        return self._server.connections

    def inject(
        self, act: Act, path: str = "", *, method: str | None = None, times: int | None = 1, skip: int = 0
    ) -> Fault:
        """Let a fault wait for its requests (see `Fault`); of several that match, the first injected is applied."""
        fault = Fault(act, path, method, times, skip)
        with self._server.lock:
            self._server.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Forget all faults."""
        with self._server.lock:
            self._server.faults.clear()

    def forget(self) -> None:
        """Forget what passed."""
        self._server.seen.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, upstream: Upstream) -> None:
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.seen: deque[Seen] = deque()
        self.context, self.upstream, self.connections = context, upstream, 0
        super().__init__(address, _Handler)

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Shake hands in the connection's own thread, so that a slow client stops nobody."""
        with self.lock:
            self.connections += 1
        plain = cast("socket.socket", request)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            tls = self.context.wrap_socket(plain, server_side=True)
        except OSError:
            return
        with tls:
            _Handler(tls, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""

    def fault_for(self, request: Request) -> Fault | None:
        with self.lock:
            return next((fault for fault in self.faults if fault.takes(request)), None)


@dataclass(frozen=True, slots=True)
class Upstream:
    """The CA behind the front."""

    address: str
    port: int
    context: ssl.SSLContext

    def connect(self) -> http.client.HTTPSConnection:
        """Open a connection; it is kept for all requests of one client connection."""
        return http.client.HTTPSConnection(self.address, self.port, timeout=_UPSTREAM_TIMEOUT, context=self.context)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "front"
    server: _Server
    _upstream: http.client.HTTPSConnection | None = None
    _skipped: ClassVar[set[str]] = {"connection", "content-length", "transfer-encoding"}

    def setup(self) -> None:
        super().setup()
        self._upstream = self.server.upstream.connect()

    def finish(self) -> None:
        if self._upstream:
            self._upstream.close()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class calls it that
        """Say nothing."""

    def do_GET(self) -> None:
        self._exchange()

    def do_HEAD(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        asked = Request(self.command, self.path, tuple(self.headers.items()), self.rfile.read(size))
        forwarded = False

        def forward() -> Reply:
            nonlocal forwarded
            forwarded = True
            return self._forward(asked)

        fault = self.server.fault_for(asked)
        reply = fault.act(asked, forward) if fault else forward()
        self.server.seen.append(Seen(asked.method, asked.path, 0 if reply.drop else reply.status, forwarded))
        self._answer(reply)

    def _forward(self, asked: Request) -> Reply:
        assert self._upstream is not None
        self._upstream.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers:
            if name.lower() not in self._skipped:
                self._upstream.putheader(name, value)
        if asked.body or asked.method == "POST":
            self._upstream.putheader("Content-Length", str(len(asked.body)))
        self._upstream.endheaders(asked.body)
        response = self._upstream.getresponse()
        headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP)
        return Reply(response.status, headers, response.read())

    def _answer(self, reply: Reply) -> None:
        if reply.drop:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        if not any(name.lower() == "date" for name, _ in reply.headers):
            self.send_header("Date", self.date_time_string())
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body) if reply.declared is None else reply.declared))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(reply)

    def _send_body(self, reply: Reply) -> None:
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        if reply.drip is None:
            self.wfile.write(body)
        else:
            size, pause = reply.drip
            for start in range(0, len(body), size):
                self.wfile.write(body[start : start + size])
                time.sleep(pause)
        if reply.cut is not None or reply.declared is not None:
            self.close_connection = True


@contextmanager
def front(directory: Path, behind: Pebble, *, address: str = LOOPBACK) -> Iterator[Front]:
    """Run a front before `behind`, with its TLS files in `directory`."""
    identity = make_identity(directory / "front-tls", address, "localhost")
    upstream = Upstream(behind.address, behind.port, behind.identity.client_context())
    server = _Server((address, free_port(address)), identity.server_context(), upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="front")
    thread.start()
    try:
        yield Front(server, identity, "/dir")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
