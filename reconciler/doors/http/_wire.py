"""A socket as `http.client` uses it, under one deadline for all that is sent and read."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket


class Wire(io.RawIOBase):
    """What is dialled, until `end` (monotonic seconds): the socket's own timeout begins anew with each read.

    Raises TimeoutError. Whoever dialled closes it: http.client means to when the answer's body is still to be read.
    """

    def __init__(self, sock: socket.socket, end: float) -> None:
        """Take a connected socket."""
        self._sock, self._end = sock, end

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Give it as a file."""
        return io.BufferedReader(self)

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  typeshed's WriteableBuffer has no public name
        """Read what there is."""
        self._sock.settimeout(left(self._end))
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._sock.settimeout(left(self._end))
        self._sock.sendall(data)

    def close(self) -> None:
        """Close nothing."""


def left(end: float) -> float:
    """Give the seconds until a deadline. Raises TimeoutError once it is over."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("too slow")
    return seconds
