"""Who may write what, now: one flock file a scope. The kernel gives a lock up with its process, so none is ever stale.

The file's one line says who holds it, for the message; pid 0 is nobody. `epoch` counts the holders, so that a lease
kept too long is told from the present one. The line proves nothing: the flock does.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import HeldBy, LeaseLost
from reconciler.model.plain import to_plain
from reconciler.model.ports import Lease
from reconciler.model.text import clean
from reconciler.store import atomic
from reconciler.store.trouble import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.ports import Clock
    from reconciler.store.layout import Layout

_LINE: Final = 256
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05
# a reader that asks who holds a lock has it shared for microseconds, so one who wants it at once looks twice
_LEAST_WAIT: Final = 0.02
_BRIEF: Final = 10.0


class Locks:
    """The lock files of one store, and the leases that this process holds."""

    def __init__(self, layout: Layout, clock: Clock) -> None:
        """Hold nothing yet."""
        self._layout, self._clock = layout, clock
        self._held: dict[Lease, tuple[int, str]] = {}  # inode and path of the lock file that we hold open
        self._last: dict[str, int] = {}

    @contextmanager
    def claim(self, scope: str, verb: str, wait: float) -> Iterator[Lease]:
        """Hold a scope alone within the block. HeldBy after `wait` seconds, or if the stop flag is set meanwhile."""
        with self._locked(scope, wait) as descriptor:
            # a lock file that was deleted begins anew; a lease of ours never comes twice
            epoch = max(_line(descriptor).get("epoch", 0), self._last.get(scope, 0)) + 1
            self._last[scope] = epoch
            since = to_plain(self._clock.now().replace(microsecond=0))
            with told("write", self._layout.lock(scope)):
                _note(descriptor, {"epoch": epoch, "pid": os.getpid(), "verb": clean(verb, 60), "since": since})
            lease = Lease(scope, epoch)
            self._held[lease] = os.fstat(descriptor).st_ino, self._layout.lock(scope)
            try:
                yield lease
            finally:
                del self._held[lease]
                with suppress(OSError):  # the lock is what counts, and what was done under it is done
                    _note(descriptor, {"epoch": epoch, "pid": 0})

    @contextmanager
    def briefly(self, scope: str) -> Iterator[None]:
        """Hold a scope alone for the milliseconds of one compare-and-set."""
        with self._locked(scope, _BRIEF):
            yield

    def holder(self, scope: str) -> tuple[int, str, str] | None:
        """Give pid, verb and since of who holds it now; None if nobody. Writes nothing."""
        try:
            descriptor = os.open(self._layout.lock(scope), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _try(descriptor, fcntl.LOCK_SH):
                return None
            return _holder(_line(descriptor))
        finally:
            os.close(descriptor)

    def check(self, lease: Lease, *scopes: str) -> None:
        """Raise LeaseLost unless the lease is held now, for one of `scopes`; one that ends in `/` is a beginning."""
        if not any(lease.scope == scope or (scope[-1] == "/" and lease.scope.startswith(scope)) for scope in scopes):
            raise LeaseLost(f"the lease of {clean(lease.scope)} does not cover {' or '.join(scopes)}")
        held = self._held.get(lease)
        if held is None or _inode(held[1]) != held[0]:
            raise LeaseLost(
                f"the lease of {clean(lease.scope)} (epoch {lease.epoch}) is no longer ours; nothing was written"
            )

    @contextmanager
    def _locked(self, scope: str, wait: float) -> Iterator[int]:
        descriptor = self._take(scope, self._clock.monotonic() + max(wait, _LEAST_WAIT))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _take(self, scope: str, deadline: float) -> int:
        path, pause = self._path(scope), _FIRST_PAUSE
        while True:
            descriptor = atomic.open_lock(path)
            # a file that was deleted meanwhile locks nobody out
            if _try(descriptor, fcntl.LOCK_EX) and _is_file(descriptor, path):
                return descriptor
            line = _line(descriptor)
            os.close(descriptor)
            if self._clock.monotonic() >= deadline or self._clock.wait(pause):
                pid, verb, since = _holder(line)
                raise HeldBy(scope.replace("/", " ", 1), pid, verb, since)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _path(self, scope: str) -> str:
        path = self._layout.lock(scope)
        if scope.startswith("account/"):
            # a folder for each directory's host
            atomic.make_directory(os.path.dirname(path), durable=False)
        return path


def _try(descriptor: int, how: int) -> bool:
    with told("lock", f"/proc/self/fd/{descriptor}"):
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _is_file(descriptor: int, path: str) -> bool:
    return os.fstat(descriptor).st_ino == _inode(path)


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None


def _note(descriptor: int, line: dict[str, object]) -> None:
    atomic.note_holder(descriptor, json.dumps(line).encode().ljust(_LINE - 1)[: _LINE - 1] + b"\n")


def _line(descriptor: int) -> dict[str, Any]:
    try:
        line = json.loads(os.pread(descriptor, _LINE, 0) or b"{}")
    except ValueError:
        return {}
    known = isinstance(line, dict) and isinstance(line.get("epoch", 0), int)
    return line if known else {}


def _holder(line: dict[str, Any]) -> tuple[int, str, str]:
    pid = line.get("pid", 0)
    return (
        (pid if isinstance(pid, int) else 0),
        clean(str(line.get("verb", "?")), 60),
        clean(str(line.get("since", "?")), 40),
    )
