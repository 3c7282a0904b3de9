"""A server that says the same few bytes again and again, so that each read is quick and the answer never comes."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS = b"HTTP/1.1 200 OK\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
HEADER = b"X-Drip: 1\r\n"


@contextmanager
def dripping(piece: bytes, first: bytes = b"", pause: float = 0.02) -> Iterator[int]:
    """Say `first` to one client, then `piece` every `pause` seconds while it and the block last; give the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drip, args=(server, piece, first, pause, over))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _drip(server: socket.socket, piece: bytes, first: bytes, pause: float, over: threading.Event) -> None:
    with suppress(OSError), server.accept()[0] as client:
        client.sendall(first)
        while not over.wait(pause):
            client.sendall(piece)
