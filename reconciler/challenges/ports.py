"""Who listens: one certwright process at a time holds a port, opened while an answer is published and no longer.

Two lock files a port under `locks/listener/` (settled for all processes of a store): `PORT` is held for milliseconds,
shared to publish a token, exclusive to open or close; `PORT.holder` is held exclusively by the process whose port is
open, and given up by the kernel when it dies. A process with a published token and no port waits to take over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.challenges.identity import proves
from reconciler.challenges.listener import Server
from reconciler.challenges.owner import who_listens
from reconciler.doors.files import api as files
from reconciler.errors import CertwrightError, Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.ports import Clock

_BACKLOG: Final = 4096
_DEFER_SECONDS: Final = 5
_TURN: Final = 0.2
# orders of a batch follow each other closely: the port is not opened and closed between them
_LINGER: Final = 1.0
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class Published(Protocol):
    """The part of the store that holds http-01 answers, for all certwright processes. See `model.ports.Material`."""

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
        self._published, self._locks, self._clock = published, locks, clock
        self._lock = threading.Lock()
        self._ports: dict[tuple[str | None, int], Port] = {}

    def get(self, address: str | None, port: int) -> Port:
        """Give a port; nothing is opened yet."""
        with self._lock:
            key = address, port
            if key not in self._ports:
                self._ports[key] = Port(address, port, self._published, self._locks, self._clock)
            return self._ports[key]

    def close(self) -> None:
        """Close all, at the end of the process; others of the same store take over what is still published."""
        with self._lock:
            for port in self._ports.values():
                port.close()


class Port:
    """One port: a thread that serves while tokens are published and we hold the port, and waits while another does."""

    def __init__(self, address: str | None, port: int, published: Published, locks: str, clock: Clock) -> None:
        self.address, self.port = address, port
        self._published, self._locks, self._clock = published, locks, clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold off, while a token is written, any process that is about to close the port."""
        with _locked(self._locks, str(self.port), fcntl.LOCK_SH):
            yield

    def ensure(self) -> None:
        """See to it that this port is served, by us or by another process of this store.

        Raises Failed: PortTaken (a stranger has it), PortNotAllowed, PortUnusable.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            held = self._opened()
            thread = threading.Thread(target=self._run, args=(held,), name=f"http-01 {self.port}", daemon=True)
            self._thread = thread
            thread.start()

    def close(self) -> None:
        """Stop serving, whatever is published."""
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def serving(self) -> bool:
        """Tell whether a thread of ours looks after the port."""
        return self._thread is not None and self._thread.is_alive()

    def _answer(self, token: str) -> bytes | None:
        """Give what a visitor may read: a key authorization for this very token, and nothing else that lies there."""
        try:
            content = self._published.token(token)
        except CertwrightError:
            return None
        return content if content is not None and proves(content, token) else None

    def _waited_for(self) -> bool:
        """Tell whether an answer is published; where the store cannot tell, the port stays as it is."""
        try:
            return bool(self._published.tokens())
        except CertwrightError:
            return True

    def _opened(self) -> tuple[ExitStack, Server] | None:
        """Become the holder and open the port; None if another process is the holder."""
        with _locked(self._locks, str(self.port), fcntl.LOCK_EX), ExitStack() as stack:
            try:
                stack.enter_context(_locked(self._locks, f"{self.port}.holder", fcntl.LOCK_EX | fcntl.LOCK_NB))
            except BlockingIOError:
                return None
            server = Server(_bound(self.address, self.port), self._answer, self._clock.monotonic)
            stack.callback(server.close)
            return stack.pop_all(), server

    def _run(self, held: tuple[ExitStack, Server] | None) -> None:
        idle_since = looked = self._clock.monotonic()
        try:
            while not self._closing.is_set():
                if held is None:
                    self._closing.wait(_TURN)
                    # somebody else's port is not ours to complain about: it is tried again
                    with suppress(Failed):
                        held = self._opened()
                else:
                    held[1].turn(_TURN)
                now = self._clock.monotonic()
                if now - looked < _TURN:
                    continue
                looked = now
                if self._waited_for():
                    idle_since = now
                    continue
                with suppress(Failed):
                    if now - idle_since > _LINGER and self._over(held):
                        held = None
                        return
        finally:
            if held is not None:
                held[0].close()

    def _over(self, held: tuple[ExitStack, Server] | None) -> bool:
        """Close under the exclusive lock, unless a token was published meanwhile."""
        with self._lock, _locked(self._locks, str(self.port), fcntl.LOCK_EX):
            if self._waited_for():
                return False
            if held is not None:
                held[0].close()
            # from here on `ensure` starts another thread
            self._thread = None
            return True


def _bound(address: str | None, port: int) -> list[socket.socket]:
    """Open listening sockets, on both families where no address is given. Raises Failed."""
    wanted = [address] if address is not None else ["0.0.0.0", "::"]  # noqa: S104  a CA comes from anywhere
    opened: list[socket.socket] = []
    try:
        for one in wanted:
            with suppress(_MissingFamilyError):
                opened.append(_listening(one, port))
    except OSError as error:
        for sock in opened:
            sock.close()
        raise _unusable(address, port, error) from None
    if not opened:
        raise Failed("PortUnusable", f"this machine has no address to listen on for port {port}")
    return opened


class _MissingFamilyError(Exception):
    """This machine has no IPv6 (or no IPv4)."""


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _MissingFamilyError from error
    try:
        # a port in TIME_WAIT may be taken again; never SO_REUSEPORT, which would take visitors from a web server
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "linux":
            # who says nothing stays with the kernel and costs us nothing
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_SECONDS)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno in _NO_FAMILY and address == "::":
            raise _MissingFamilyError from error
        raise
    return sock


def _unusable(address: str | None, port: int, error: OSError) -> Failed:
    place = f"port {port}" if address is None else f"port {port} of {address}"
    if error.errno == errno.EADDRINUSE:
        owner = who_listens(port)
        by = f"taken by {owner}" if owner else "taken by another process"
        return Failed("PortTaken", f"{place} is {by}; stop it, or use a webroot that it serves")
    if error.errno == errno.EACCES:
        return Failed("PortNotAllowed", f"uid {os.geteuid()} may not listen on {place}; use a webroot or a higher port")
    return Failed("PortUnusable", f"cannot listen on {place}: {error.strerror}")


@contextmanager
def _locked(directory: str, name: str, how: int) -> Iterator[None]:
    """Hold a lock file; it is made once and never removed, so that all processes lock the same file."""
    with files.open_directory(directory, make=True, mode=0o700) as held:
        if files.stat_file(name, base=held) is None:
            with suppress(files.FileFailed):
                files.create_file(held, name, b"", mode=0o600)
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held.fd)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
