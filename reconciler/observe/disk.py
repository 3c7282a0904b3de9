"""What stands at a path now. Directories stay open while neighbours are looked at: one walk for a directory's files."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from reconciler.doors.files import api as files
from reconciler.doors.files.api import FileFailed
from reconciler.model.fragments import Parted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from reconciler.doors.files.api import Directory, FileStat

LIMIT: Final = 1 << 20
SHARED_LIMIT: Final = 16 << 20
_OPEN: Final = 16


class Disk:
    """A context manager; facts are those of the moment of each call. Failures are `FileFailed`, one sentence each."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._open: OrderedDict[str, tuple[ExitStack, Directory]] = OrderedDict()
        self._failed: dict[str, FileFailed] = {}
        self._parted: dict[tuple[str, str], Parted] = {}

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all directories."""
        while self._open:
            self._open.popitem()[1][0].close()

    def facts(self, path: str) -> FileStat | None:
        """Give the facts of what is at `path` (of a link itself), None if nothing is.

        Raises FileFailed: NoSuchDirectory, PermissionDenied, PathRefused (writable by others, a link of somebody else,
        a tenant's tree unless we are root).
        """
        directory, name = self._parent(path)
        return files.stat_file(name, base=directory)

    def born(self, path: str) -> tuple[int, int] | None:
        """Give uid and gid of what is made at `path` in a tenant's tree, None elsewhere; raises as `facts` does."""
        return self._parent(path)[0].born()

    def check_writable(self, path: str) -> None:
        """See that a file can be made or replaced at `path`; raises as `facts` does, with what is lacking."""
        files.check_writable("", base=self._parent(path)[0])

    def read(self, path: str) -> bytes:
        """Read a regular file of at most `LIMIT` bytes."""
        directory, name = self._parent(path)
        return files.read_file(name, LIMIT, base=directory)

    def text(self, path: str) -> str:
        """Read configuration for a diff: bytes that are no UTF-8 are replaced."""
        return self.read(path).decode("utf-8", "replace")

    def parted(self, path: str, facts: FileStat) -> Parted:
        """Give the blocks of a file that sites share, read once while it stays."""
        known = (path, facts.signature)
        if known not in self._parted:
            directory, name = self._parent(path)
            text = files.read_file(name, SHARED_LIMIT, base=directory).decode("utf-8", "replace")
            self._parted[known] = Parted.of(text)
        return self._parted[known]

    def digest(self, path: str) -> str:
        """Give the sha256 (hex) of a file's content."""
        return hashlib.sha256(self.read(path)).hexdigest()

    def public(self, directory: str, names: Sequence[str]) -> dict[str, bytes]:
        """Read certificates of the live revision; `directory` is reached by a link of ours."""
        return {name: files.read_file(f"{directory}/{name}", LIMIT) for name in names}

    def _parent(self, path: str) -> tuple[Directory, str]:
        files.check_path(path)
        where, _, name = path.rpartition("/")
        if where in self._failed:
            raise FileFailed(self._failed[where].reason, str(self._failed[where]))
        known = self._open.get(where)
        if known is None:
            known = self._opened(where)
        else:
            self._open.move_to_end(where)
        return known[1], name

    def _opened(self, where: str) -> tuple[ExitStack, Directory]:
        stack = ExitStack()
        try:
            directory = stack.enter_context(files.open_directory(where or "/"))
            directory.born()  # refused here already where we may not write
        except FileFailed as error:
            stack.close()
            self._failed[where] = error
            raise
        self._open[where] = stack, directory
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)[1][0].close()
        return stack, directory
