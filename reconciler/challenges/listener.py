"""The http-01 listener: gives known answers to GET and HEAD, and one and the same 404 to all else.

See `visitors` for what keeps it small; a visitor has five seconds and four KiB.
"""

from __future__ import annotations

import re
import selectors
import socket
from typing import TYPE_CHECKING, Final

from reconciler.challenges.visitors import MOST, MOST_FROM_ONE, Client, Visitors
from reconciler.model.tokens import is_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LIFE_SECONDS", "MOST", "MOST_FROM_ONE", "Server"]

LIFE_SECONDS: Final = 5.0
_LONGEST_REQUEST: Final = 4096
_BLOCK: Final = 2048
_REQUEST: Final = re.compile(rb"(GET|HEAD) /\.well-known/acme-challenge/([!-~]+) HTTP/1\.[01]\r?", re.ASCII)
_END: Final = re.compile(rb"\r?\n\r?\n")


class _Client(Client):
    linger = False


class Server(Visitors[_Client]):
    """Serves `answer(token)` on listening sockets."""

    client = _Client

    def __init__(
        self, sockets: Sequence[socket.socket], answer: Callable[[str], bytes | None], monotonic: Callable[[], float]
    ) -> None:
        super().__init__(sockets, monotonic)
        self._answer = answer

    def _life(self) -> float:
        return LIFE_SECONDS

    def _go_on(self, client: _Client) -> None:
        if client.to_send is None:
            self._receive(client)
        elif client.to_send:
            self._send(client)
        elif not client.sock.recv(_BLOCK):
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
        token = asked.group(2).decode() if asked is not None else ""
        body = self._answer(token) if is_token(token) else None
        status = b"200 OK" if body is not None else b"404 Not Found"
        body = b"not found\n" if body is None else body
        kind = b"application/octet-stream" if status.startswith(b"2") else b"text/plain"
        head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        head %= (status, kind, len(body))
        return head if request.startswith(b"HEAD ") else head + body
