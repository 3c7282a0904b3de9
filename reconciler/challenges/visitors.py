"""Visitors of a listener of ours: one thread, a selectors loop, and nothing that a visitor can make grow.

Sixty-four connections, eight from one address, seconds for each; when there are more, the oldest of the same address
(or of all) makes room. A CA that checks many names at once has many more, but each of its connections is answered and
closed in the turn in which it comes (the kernel hands it over with its request): only who holds the line is counted,
and is the one to lose it.
"""

from __future__ import annotations

import selectors
import socket
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 64
MOST_FROM_ONE: Final = 8
_IPV6_NETWORK_BITS: Final = 64


class Client:
    """A connection: where it comes from, and when (monotonic) it ends whatever happens."""

    def __init__(self, sock: socket.socket, source: str, end: float) -> None:
        self.sock, self.source, self.end = sock, source, end
        self.received = bytearray()
        self.to_send: bytes | None = None
        self.watched = False


C = TypeVar("C", bound=Client)


class Visitors(ABC, Generic[C]):
    """Serves listening sockets until told to stop. Runs in the caller's thread."""

    client: type[C]

    def __init__(self, sockets: Sequence[socket.socket], monotonic: Callable[[], float]) -> None:
        """Take over the sockets: `close` closes them."""
        self._sockets, self._monotonic = sockets, monotonic
        self._clients: dict[C, None] = {}
        with ExitStack() as unmade:  # a selector that is not closed keeps its descriptor until Python tidies up
            self._selector = unmade.enter_context(selectors.DefaultSelector())
            for sock in sockets:
                sock.settimeout(0)
                self._selector.register(sock, selectors.EVENT_READ)
            self._bell, self._rope = map(unmade.enter_context, socket.socketpair())
            self._selector.register(self._bell, selectors.EVENT_READ, self._bell)
            unmade.pop_all()

    def wake(self) -> None:
        """End the turn that waits, and each one after it at once. From any thread, also after the end."""
        with suppress(OSError):
            self._rope.send(b".")

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
        for sock in (*self._sockets, self._bell, self._rope):
            sock.close()
        self._selector.close()

    @abstractmethod
    def _life(self) -> float:
        """Give the seconds that a connection has."""

    @abstractmethod
    def _go_on(self, client: C) -> None:
        """Do what can be done for a client now; an OSError drops it, BlockingIOError waits for more."""

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
            client = self.client(sock, source, self._monotonic() + self._life())
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

    def _serve(self, client: C) -> None:
        try:
            self._go_on(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(client)

    def _watch(self, client: C, events: int) -> None:
        if client.watched:
            self._selector.modify(client.sock, events, client)
        else:
            self._selector.register(client.sock, events, client)
            client.watched = True

    def _drop(self, client: C) -> None:
        if self._clients.pop(client, client) is client:
            return
        if client.watched:
            self._selector.unregister(client.sock)
        client.sock.close()


def _network(address: str) -> str:
    """Give the source by which connections are counted: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = ip_address(address.partition("%")[0])
    return address if parsed.version == 4 else str(int(parsed) >> _IPV6_NETWORK_BITS)  # noqa: PLR2004
