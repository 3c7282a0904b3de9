"""The lock files of the listeners, in a directory that all processes of a store share."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from reconciler.doors.files import api as files

if TYPE_CHECKING:
    from collections.abc import Iterator


class LockFiles:
    """One directory, made if missing and held open while it stays the one at its path: an order locks in it twice."""

    def __init__(self, directory: str) -> None:
        """Open nothing yet."""
        self._path = directory
        self._turn = threading.Lock()
        self._life = ExitStack()
        self._open: files.Directory | None = None

    @contextmanager
    def held(self, name: str, how: int) -> Iterator[None]:
        """Hold a lock file as `flock` says; it is made once and never removed, so that all lock the same file.

        Raises BlockingIOError where another holds it and `how` says not to wait, FileFailed where it cannot be opened.
        """
        descriptor = self._opened(name)
        try:
            fcntl.flock(descriptor, how)
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

    def _opened(self, name: str) -> int:
        with self._turn:
            directory = self._directory()
            if files.stat_file(name, base=directory) is None:
                with suppress(files.FileFailed):
                    files.create_file(directory, name, b"", mode=0o600)
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory.fd)

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
