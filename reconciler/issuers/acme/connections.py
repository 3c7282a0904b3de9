"""Connections that go to a checked address and end at one deadline, whatever the other side drips.

A timeout for each read lets a server hold us for hours, one byte at a time. Here every read and write gets what is left
of the request's own deadline; TLS verifies the name although the socket was opened to an address.
"""

from __future__ import annotations

import io
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from reconciler.issuers.acme import wire
from reconciler.issuers.acme.origin import LOOKUP_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from reconciler.issuers.acme.origin import Origin

_BUFFER: Final = 16 * 1024
_LEAST: Final = 0.001
_CONNECT_SECONDS: Final = 10.0
# how much longer than what is left a socket may wait: to set a timeout is a call to the kernel, at each read
_LENIENCE: Final = 1.05


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


class _TimedSocket(io.RawIOBase):
    """A socket under a deadline, as a stream to read from."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self.sock, self._deadline = sock, deadline
        self._timeout = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  typeshed's WriteableBuffer has no public name
        self._hurry()
        return self.sock.recv_into(buffer)

    def send(self, data: bytes) -> None:
        """Send all; head and body leave as one, which is one TLS record and one wake-up of the other side."""
        self._hurry()
        self.sock.sendall(data)

    def close(self) -> None:
        self.sock.close()
        super().close()

    def _hurry(self) -> None:
        left = self._deadline.left()
        if not left <= self._timeout <= left * _LENIENCE**2:
            self._timeout = left * _LENIENCE
            self.sock.settimeout(self._timeout)


class Connection:
    """One way to the origin, opened with its first request; kept alive while `keep` says so."""

    def __init__(self, origin: Origin, context: Callable[[], ssl.SSLContext], deadline: Deadline) -> None:
        """Open nothing yet. `deadline` is started by whoever sends."""
        self._origin, self._context, self.deadline = origin, context, deadline
        self._sock: _TimedSocket | None = None
        self._stream: io.BufferedReader | None = None
        self.keep = False

    @property
    def lives(self) -> bool:
        """Tell whether it is open, and silent as it should be between two requests."""
        if self._sock is None or self._stream is None or self._sock.sock.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(self._sock.sock, select.POLLIN)
        return not poll.poll(0)

    def open(self) -> None:
        """Connect, unless it is. Raises OSError, and what `Origin.addresses` does."""
        if self._sock is None:
            raw = self._dialled()
            try:
                sock = self._secured(raw) if self._origin.scheme == "https" else raw
            except BaseException:
                raw.close()
                raise
            self._sock = _TimedSocket(sock, self.deadline)
            self._stream = io.BufferedReader(self._sock, _BUFFER)

    def exchange(self, method: str, message: bytes, limit: int) -> wire.Whole:
        """Send a request and read its answer whole. Raises what `wire.read_answer` does."""
        if self._sock is None or self._stream is None:
            raise ConnectionAbortedError
        self.keep = False
        self._sock.send(message)
        answer = wire.read_answer(self._stream, method, limit)
        self.keep = answer.keep
        return answer

    def close(self) -> None:
        """Close it; it may be opened again."""
        if self._sock is not None:
            self._sock.close()
        self._sock = self._stream = None

    def _dialled(self) -> socket.socket:
        failure: OSError = ConnectionRefusedError()
        for address in self._origin.addresses(min(self.deadline.left(), LOOKUP_SECONDS)):
            try:
                seconds = min(self.deadline.left(), _CONNECT_SECONDS)
                sock = socket.create_connection((address, self._origin.port), timeout=seconds)
            except OSError as error:
                failure = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # the TLS handshake as a whole runs under this
            sock.settimeout(self.deadline.left())
            return sock
        raise failure

    def _secured(self, sock: socket.socket) -> socket.socket:
        return self._context().wrap_socket(sock, server_hostname=self._origin.host)


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
            if connection.lives:
                return connection
            connection.close()
        return Connection(self._origin, self._context, Deadline(self._monotonic))

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
