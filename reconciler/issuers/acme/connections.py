"""Connections that go to a checked address and end at one deadline, whatever the other side drips.

A timeout for each read lets a server hold us for hours, one byte at a time. Here every read and write gets what is left
of the request's own deadline; TLS verifies the name although the socket was opened to an address.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from urllib3.connection import HTTPConnection, HTTPSConnection

from reconciler.issuers.acme.origin import LOOKUP_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from reconciler.issuers.acme.origin import Origin

_BUFFER: Final = 16 * 1024
_LEAST: Final = 0.001
_CONNECT_SECONDS: Final = 10.0


class Deadline:
    """The end of one request, on a monotonic clock (seconds)."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = 0.0

    def start(self, seconds: float) -> None:
        """Let the time run from now."""
        self._end = self._monotonic() + seconds

    def left(self) -> float:
        """Give the seconds that are left. Raises TimeoutError when there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return max(left, _LEAST)


class _TimedReader(io.RawIOBase):
    """The read side of a socket; each read has what is left of the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline
        # keeps the descriptor open until this is closed, also after the connection let go of it
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  typeshed's WriteableBuffer has no public name
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """As much of a socket as an HTTP connection uses, under a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._unsent = bytearray()

    def makefile(self, _mode: str = "rb", *_args: object) -> io.BufferedReader:
        """Send what was written, then give what is read from: the one is always asked for after the other."""
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(self._unsent)
        self._unsent.clear()
        return io.BufferedReader(_TimedReader(self._sock, self._deadline), _BUFFER)

    def sendall(self, data: bytes) -> None:
        """Keep it: head and body leave as one, which is one TLS record and one wake-up of the other side."""
        self._unsent += data

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing: the deadline rules."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()


class _Dialled:
    """Opens its socket to a checked address of the origin instead of a name."""

    origin: Origin
    deadline: Deadline

    def _new_conn(self) -> socket.socket:
        failure: OSError = ConnectionRefusedError()
        for address in self.origin.addresses(min(self.deadline.left(), LOOKUP_SECONDS)):
            try:
                seconds = min(self.deadline.left(), _CONNECT_SECONDS)
                sock = socket.create_connection((address, self.origin.port), timeout=seconds)
            except OSError as error:
                failure = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # the TLS handshake as a whole runs under this
            sock.settimeout(self.deadline.left())
            return sock
        raise failure

    def _timed(self, sock: object) -> socket.socket:
        return cast("socket.socket", _TimedSocket(cast("socket.socket", sock), self.deadline))


class _Plain(_Dialled, HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = self._timed(self.sock)


class _Secure(_Dialled, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = self._timed(self.sock)


Connection = _Plain | _Secure


def response_of(connection: Connection) -> http.client.HTTPResponse:
    """Give the answer to the request that was sent, its body unread.

    As the standard library gives it: urllib3's own response, made for decoding and pooling which we do not want, costs
    a quarter of a millisecond for each of an order's requests.
    """
    return http.client.HTTPConnection.getresponse(connection)


class Connections:
    """Kept-alive connections to one origin, last used first; at most `size` are kept. Safe for threads."""

    def __init__(
        self, origin: Origin, context: Callable[[], ssl.SSLContext], monotonic: Callable[[], float], size: int
    ) -> None:
        self._origin, self._context, self._monotonic = origin, context, monotonic
        self._idle: deque[Connection] = deque(maxlen=max(size, 1))

    def take(self) -> Connection:
        """Give a live idle connection, else one that connects with its first request."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            # the other side may have closed it while it lay here
            if connection.is_connected:
                return connection
            connection.close()
        return self._made()

    def give(self, connection: Connection) -> None:
        """Take a connection back whose answer was read to its end."""
        if len(self._idle) == self._idle.maxlen:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close all that lie idle."""
        while self._idle:
            self._idle.pop().close()

    def _made(self) -> Connection:
        made: Connection
        if self._origin.scheme == "https":
            made = _Secure(self._origin.host, self._origin.port, ssl_context=self._context())
        else:
            made = _Plain(self._origin.host, self._origin.port)
        made.origin, made.deadline = self._origin, Deadline(self._monotonic)
        return made
