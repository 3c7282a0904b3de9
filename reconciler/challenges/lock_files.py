"""The lock files of the listeners, in a directory that all processes of a store share."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.ports import Clock

PATIENCE: Final = 10.0
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LockFiles:
    """One directory, made if missing and held open while it stays the one at its path: an order locks in it twice."""

    def __init__(self, directory: str, clock: Clock) -> None:
        """Open nothing yet."""
        self._path, self._clock = directory, clock
        self._turn = threading.Lock()
        self._life = ExitStack()
        self._open: files.Directory | None = None

    @contextmanager
    def held(self, name: str, how: int) -> Iterator[None]:
        """Hold a lock file as `flock` says; it is made once and never removed, so that all lock the same file.

        Raises BlockingIOError where another holds it and `how` says not to wait; Failed(PortUnusable) where it waited
        in vain, Waiting where the process stops meanwhile; FileFailed where it cannot be opened.
        """
        descriptor = self._opened(name)
        try:
            self._take(name, descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def names(self) -> tuple[str, ...]:
        """Give the names of all lock files there are, held or not. Raises FileFailed."""
        return files.list_directory(self._path)

    def is_taken(self, name: str) -> bool:
        """Tell whether somebody holds a lock file now, this process too; for a moment nobody else gets it."""
        try:
            with self.held(name, fcntl.LOCK_SH | fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    def close(self) -> None:
        """Give the directory up; the next lock opens it again."""
        with self._turn:
            self._life.close()
            self._open = None

    def _take(self, name: str, descriptor: int, how: int) -> None:
        end, pause = self._clock.monotonic() + PATIENCE, _FIRST_PAUSE
        while not self._free(name, descriptor, how):
            if how & fcntl.LOCK_NB:
                raise BlockingIOError
            if self._clock.monotonic() >= end:
                why = f"held by another process for {PATIENCE:g} s; look: lslocks"
                raise Failed("PortUnusable", f"the lock {self._path}/{name} is {why}")
            if self._clock.wait(pause):
                raise Waiting("InFlight", "the process stops; this goes on when it starts again", self._clock.now())
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _free(self, name: str, descriptor: int, how: int) -> bool:
        with files.told("lock", f"{self._path}/{name}"):
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _opened(self, name: str) -> int:
        with self._turn:
            directory = self._directory()
            if files.stat_file(name, base=directory) is None:
                self._made(directory, name)
            with files.told("open", directory.join(name)):
                return os.open(name, _FLAGS, dir_fd=directory.fd)

    @staticmethod
    def _made(directory: files.Directory, name: str) -> None:
        try:
            files.create_file(directory, name, b"", mode=0o600)
        except files.FileFailed:
            # made by another process meanwhile, or there is a reason why it cannot be
            if files.stat_file(name, base=directory) is None:
                raise

    def _directory(self) -> files.Directory:
        if self._open is None or not self._stands(self._open):
            self._life.close()
            opened = files.open_directory(self._path, make=True, mode=0o700)
            self._open = self._life.enter_context(opened)
        return self._open

    def _stands(self, directory: files.Directory) -> bool:
        """Tell whether it still is what others find at its path."""
        try:
            return os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(directory.fd))  # noqa: PTH116  text in, text out
        except OSError:
            return False
