"""Door to the runtime sockets of servers: one command, one answer, on a unix socket that must be a trusted server's.

The directory is reached by the path's own name and held open, so that nobody swaps it between the look and the
connection; who listens is asked of the kernel (`SO_PEERCRED`), since what is sent may hold a private key.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import time
from contextlib import closing
from typing import Final

from reconciler.errors import Failed
from reconciler.model.text import clean

_OPEN: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_PEER: Final = struct.Struct("3i")
_BLOCK: Final = 1 << 16
LIMIT: Final = 1 << 16


def ask(path: str, message: bytes, *, timeout: float = 5.0, limit: int = LIMIT) -> bytes:
    """Send a message and give the whole answer, at most `limit` bytes, within `timeout` seconds.

    Raises Failed(SocketRefused): no socket, nobody listens, a stranger does, no answer in time, a longer answer.
    """
    deadline = time.monotonic() + timeout
    where, _, name = path.rpartition("/")
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(timeout)
            _connect(connection, where or "/", name)
            connection.sendall(message)
            connection.shutdown(socket.SHUT_WR)
            return _answer(connection, path, deadline, limit)
    except TimeoutError:
        raise _refused(path, f"gave no answer within {timeout:.0f} s") from None
    except OSError as error:
        raise _refused(path, f"cannot be asked: {os.strerror(error.errno or 0)}") from None


def _connect(connection: socket.socket, where: str, name: str) -> None:
    directory = os.open(where, _OPEN)
    try:
        here = os.fstat(directory)
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISSOCK(facts.st_mode):
            raise _refused(f"{where}/{name}", "is not a socket")
        if here.st_mode & stat.S_IWOTH:
            raise _refused(f"{where}/{name}", "stands in a directory that everybody may write; move it")
        connection.connect(f"/proc/self/fd/{directory}/{name}")
    finally:
        os.close(directory)
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if uid not in {0, os.geteuid(), here.st_uid}:
        raise _refused(f"{where}/{name}", f"is listened on by uid {uid}, who is neither root nor the directory's owner")


def _answer(connection: socket.socket, path: str, deadline: float, limit: int) -> bytes:
    answer = bytearray()
    while len(answer) <= limit:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        block = connection.recv(_BLOCK)
        if not block:
            return bytes(answer)
        answer += block
    raise _refused(path, f"gave more than {limit} bytes")


def _refused(path: str, why: str) -> Failed:
    return Failed("SocketRefused", f"the runtime socket {clean(path)} {why}")
