"""A relay that lets each connection wait before it goes on to a server: as over a slow line."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def relay(port: int, late: Callable[[], object]) -> Iterator[int]:
    """Give the port of a relay to another one, which each connection reaches once `late` has returned."""
    with socket.create_server((LOOPBACK, 0)) as server:
        threading.Thread(target=_accept, args=(server, port, late), daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, port: int, late: Callable[[], object]) -> None:
    with suppress(OSError):
        while True:
            client = server.accept()[0]
            threading.Thread(target=_serve, args=(client, port, late), daemon=True).start()


def _serve(client: socket.socket, port: int, late: Callable[[], object]) -> None:
    late()
    with suppress(OSError), client, socket.create_connection((LOOPBACK, port)) as there:
        back = threading.Thread(target=_pass, args=(there, client), daemon=True)
        back.start()
        _pass(client, there)
        back.join()


def _pass(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(1 << 16):
            there.sendall(data)
        there.shutdown(socket.SHUT_WR)
