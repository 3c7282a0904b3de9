"""The http-01 listener: one thread, a selectors loop, and nothing that a visitor can make grow.

Sixty-four connections, eight from one address, five seconds and four KiB for each; when there are more, the oldest of
the same address (or of all) makes room. A CA that checks many names at once has many more, but each of its connections
is answered and closed in the turn in which it comes (the kernel hands it over with its request): only who holds the
line is counted, and is the one to lose it.
"""

from __future__ import annotations

import re
import selectors
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 64
MOST_FROM_ONE: Final = 8
LIFE_SECONDS: Final = 5.0
_LONGEST_REQUEST: Final = 4096
_BLOCK: Final = 2048
_REQUEST: Final = re.compile(
    rb"(GET|HEAD) /\.well-known/acme-challenge/([A-Za-z0-9_-]{22,128}) HTTP/1\.[01]\r?", re.ASCII
)
_END: Final = re.compile(rb"\r?\n\r?\n")
_IPV6_NETWORK_BITS: Final = 64


@dataclass(eq=False)
class _Client:
    sock: socket.socket
    source: str
    end: float
    received: bytearray = field(default_factory=bytearray)
    to_send: bytes | None = None
    linger: bool = False
    watched: bool = False


class Server:
    """Serves `answer(token)` on listening sockets until told to stop. Runs in the caller's thread."""

    def __init__(
        self, sockets: Sequence[socket.socket], answer: Callable[[str], bytes | None], monotonic: Callable[[], float]
    ) -> None:
        """Take over the sockets: `close` closes them."""
        self._sockets, self._answer, self._monotonic = sockets, answer, monotonic
        self._clients: dict[_Client, None] = {}
        self._selector = selectors.DefaultSelector()
        for sock in sockets:
            sock.settimeout(0)
            self._selector.register(sock, selectors.EVENT_READ)

    def turn(self, seconds: float) -> None:
        """Serve what is ready, waiting for it at most `seconds`."""
        ends = [client.end for client in self._clients]
        until = min([seconds, *(end - self._monotonic() for end in ends[:1])])
        for key, _ in self._selector.select(max(until, 0.0)):
            if key.data is None:
                self._accept(key.fileobj)
            elif key.data in self._clients:
                self._serve(key.data)
        now = self._monotonic()
        for client in [one for one in self._clients if one.end <= now]:
            self._drop(client)

    def close(self) -> None:
        """Stop listening and hang up on everyone."""
        for client in list(self._clients):
            self._drop(client)
        for sock in self._sockets:
            sock.close()
        self._selector.close()

    def _accept(self, listening: object) -> None:
        assert isinstance(listening, socket.socket)  # noqa: S101  only those have no data
        for _ in range(MOST):
            try:
                sock, address = listening.accept()
            except OSError:
                return
            sock.settimeout(0)
            source = _network(str(address[0]))
            self._make_room(source)
            client = _Client(sock, source, self._monotonic() + LIFE_SECONDS)
            self._clients[client] = None
            # the request came with the connection, nearly always
            self._serve(client)
            if client in self._clients and not client.watched:
                self._watch(client, selectors.EVENT_READ)

    def _make_room(self, source: str) -> None:
        same = [client for client in self._clients if client.source == source]
        if len(same) >= MOST_FROM_ONE:
            self._drop(same[0])
        elif len(self._clients) >= MOST:
            self._drop(next(iter(self._clients)))

    def _serve(self, client: _Client) -> None:
        try:
            if client.to_send is None:
                self._receive(client)
            elif client.to_send:
                self._send(client)
            elif not client.sock.recv(_BLOCK):
                self._drop(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)

    def _receive(self, client: _Client) -> None:
        block = client.sock.recv(_BLOCK)
        client.received += block
        complete = _END.search(client.received) is not None
        if complete or len(client.received) > _LONGEST_REQUEST:
            client.to_send = self._response(bytes(client.received), complete=complete)
            # to close before all was read would take back what we sent
            client.linger = not complete
            self._send(client)
        elif not block:
            self._drop(client)

    def _send(self, client: _Client) -> None:
        left = client.to_send or b""
        client.to_send = left[client.sock.send(left) :]
        if client.to_send:
            self._watch(client, selectors.EVENT_WRITE)
        elif client.linger:
            # half-closed: what we sent arrives, what still comes is read and thrown away
            client.sock.shutdown(socket.SHUT_WR)
            self._watch(client, selectors.EVENT_READ)
        else:
            self._drop(client)

    def _response(self, request: bytes, *, complete: bool) -> bytes:
        asked = _REQUEST.fullmatch(request.partition(b"\n")[0]) if complete else None
        body = self._answer(asked.group(2).decode()) if asked is not None else None
        status = b"200 OK" if body is not None else b"404 Not Found"
        body = b"not found\n" if body is None else body
        kind = b"application/octet-stream" if status.startswith(b"2") else b"text/plain"
        head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        head %= (status, kind, len(body))
        return head if request.startswith(b"HEAD ") else head + body

    def _watch(self, client: _Client, events: int) -> None:
        if client.watched:
            self._selector.modify(client.sock, events, client)
        else:
            self._selector.register(client.sock, events, client)
            client.watched = True

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client, client) is client:
            return
        if client.watched:
            self._selector.unregister(client.sock)
        client.sock.close()


def _network(address: str) -> str:
    """Give the source by which connections are counted: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = ip_address(address.partition("%")[0])
    return address if parsed.version == 4 else str(int(parsed) >> _IPV6_NETWORK_BITS)  # noqa: PLR2004
