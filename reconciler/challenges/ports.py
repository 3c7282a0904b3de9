"""Who listens: one certwright process at a time holds a port, opened while an answer is published and no longer.

Two lock files under `locks/listener/` (settled for all processes of a store): `PORT` is held for milliseconds, shared
to publish a token, exclusive to open or close; `PORT.ADDRESS.TYPE.holder` is held exclusively by the process that
listens there, and given up by the kernel when it dies. A process with a published token and no port waits to take over.
"""

from __future__ import annotations

import fcntl
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.challenges.answers import Answers
from reconciler.challenges.holders import holder, named
from reconciler.challenges.lock_files import LockFiles
from reconciler.challenges.sockets import listening_sockets, unusable
from reconciler.errors import CertwrightError, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.challenges.listener import Server
    from reconciler.challenges.tls_listener import TlsServer
    from reconciler.model.ports import Clock

_TURN: Final = 0.2
# orders of a batch follow each other closely: the port is not opened and closed between them
_LINGER: Final = 1.0


class Published(Protocol):
    """The part of the store that holds what our listeners answer, in all processes. See `model.ports.Material`."""

    def put_token(self, token: str, key_authorization: str) -> None:
        """Publish an answer."""
        ...

    def drop_token(self, token: str) -> None:
        """Take it away."""
        ...

    def token(self, token: str) -> bytes | None:
        """Give the answer to a token, None if it is not known."""
        ...

    def tokens(self) -> frozenset[str]:
        """Give the tokens that are published now."""
        ...


class Ports:
    """The ports of this process. `locks` is the directory for lock files; it is made if missing."""

    def __init__(self, published: Published, locks: str, clock: Clock) -> None:
        self._published, self._locks, self._clock = published, LockFiles(locks, clock), clock
        self._lock = threading.Lock()
        self._answers = Answers(published, clock)
        self._ports: dict[tuple[str | None, int, str], Port] = {}

    def get(self, address: str | None, port: int, kind: str = "http-01") -> Port:
        """Give a port that answers challenges of this kind, `http-01` or `tls-alpn-01`; nothing is opened yet."""
        with self._lock:
            key = address, port, kind
            if key not in self._ports:
                self._ports[key] = Port(address, port, self._published, self._locks, self._clock, self._answers, kind)
            return self._ports[key]

    def close(self) -> None:
        """Close all, at the end of the process; others of the same store take over what is still published."""
        with self._lock:
            for port in self._ports.values():
                port.close()
        self._locks.close()


class Port:
    """One port: a thread that serves while tokens are published and we hold the port, and waits while another does."""

    def __init__(  # noqa: PLR0913, PLR0917  what it is, and what it works with
        self,
        address: str | None,
        port: int,
        published: Published,
        locks: LockFiles,
        clock: Clock,
        answers: Answers,
        kind: str,
    ) -> None:
        self.address, self.port, self._answers, self._kind = address, port, answers, kind
        self._holder = holder(address, port, kind)
        self._published, self._locks, self._clock = published, locks, clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._wake: Callable[[], None] = lambda: None

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold off, while a token is written, any process that is about to close the port."""
        with self._locks.held(str(self.port), fcntl.LOCK_SH):
            yield

    def ensure(self) -> None:
        """See to it that this port is served, by us or by another process of this store.

        Raises Failed: PortTaken (by a stranger, or another listener of ours), PortNotAllowed, PortUnusable.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            held = self._opened()
            thread = threading.Thread(target=self._run, args=(held,), name=f"{self._kind} {self.port}", daemon=True)
            self._thread = thread
            thread.start()

    def close(self) -> None:
        """Stop serving, whatever is published."""
        self._closing.set()
        self._wake()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _waited_for(self) -> bool:
        """Tell whether an answer is published; where the store cannot tell, the port stays as it is."""
        try:
            return bool(self._published.tokens())
        except CertwrightError:
            return True

    def _opened(self) -> tuple[ExitStack, Server | TlsServer] | None:
        """Become the holder and open the port; None if another process is, or who listens more widely answers here."""
        with self._locks.held(str(self.port), fcntl.LOCK_EX), ExitStack() as stack:
            try:
                stack.enter_context(self._locks.held(self._holder.lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
            except BlockingIOError:
                return None
            if self._answered_more_widely():
                return None
            server = self._server()
            stack.callback(server.close)
            return stack.pop_all(), server

    def _server(self) -> Server | TlsServer:
        sockets = listening_sockets(self.address, self.port)
        try:
            server = self._answers.server(self._kind, sockets)
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise unusable(self.address, self.port, error) from None
        self._wake = server.wake
        return server

    def _serve(self, server: Server | TlsServer) -> None:
        try:
            server.turn(_TURN)
        except OSError:
            # the machine is short of something: who asks later is served
            self._closing.wait(_TURN)

    def _answered_more_widely(self) -> bool:
        """Tell whether one of ours at more addresses answers here. Raises Failed(PortTaken) for one in the way."""
        mine = self._holder
        for other in filter(None, map(named, self._locks.names())):
            in_the_way = other != mine and (other.covers(mine) or mine.covers(other))
            if not in_the_way or not self._locks.is_taken(other.lock):
                continue
            if other.kind == mine.kind and other.covers(mine):
                return True
            mend = "both methods the same address" if other.kind == mine.kind else "one of the two another port"
            message = f"port {mine.port} for {mine} is taken by another listener of certwright ({other}); give {mend}"
            raise Failed("PortTaken", message)
        return False

    def _run(self, held: tuple[ExitStack, Server | TlsServer] | None) -> None:
        idle_since = looked = self._clock.monotonic()
        try:
            while not self._closing.is_set():
                if held is None:
                    self._closing.wait(_TURN)
                    # somebody else's port is not ours to complain about: it is tried again
                    with suppress(CertwrightError):
                        held = self._opened()
                else:
                    self._serve(held[1])
                now = self._clock.monotonic()
                if now - looked < _TURN:
                    continue
                looked = now
                if self._waited_for():
                    idle_since = now
                    continue
                with suppress(CertwrightError):
                    if now - idle_since > _LINGER and self._over(held):
                        held = None
                        return
        finally:
            if held is not None:
                held[0].close()

    def _over(self, held: tuple[ExitStack, Server | TlsServer] | None) -> bool:
        """Close under the exclusive lock, unless a token was published meanwhile."""
        with self._lock, self._locks.held(str(self.port), fcntl.LOCK_EX):
            if self._waited_for():
                return False
            if held is not None:
                held[0].close()
            # from here on `ensure` starts another thread
            self._thread = None
            return True
