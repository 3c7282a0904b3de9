"""Free loopback ports."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below what the kernel takes for outgoing connections (32768 and up): nothing takes a port before its server does.
_FIRST, _LAST = 10_000, 32_000
_TRIES = 200
_given: set[int] = set()
_chance = random.SystemRandom()


def free_port(address: str = LOOPBACK) -> int:
    """Give a TCP and UDP port that the kernel says is free on `address`, never the same one twice in a process."""
    for _ in range(_TRIES):
        port = _chance.randint(_FIRST, _LAST)
        if port not in _given and _is_free(address, port):
            _given.add(port)
            return port
    message = f"no free port between {_FIRST} and {_LAST} on {address}"
    raise OSError(message)


def _is_free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
