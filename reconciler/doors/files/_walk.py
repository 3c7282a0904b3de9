"""The walk: from `/` to a directory, part by part, so that nobody can swap a part for a link while we are under way.

Each step opens one name relative to the directory that is already held open (`O_NOFOLLOW` guards the last part of a
path only, and `realpath` first, open later was beaten by a swap in between). What kind of ground each directory is,
`_ground` says; in a tenant's tree the walk and what follows it have his rights.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.doors.files._failures import diverted, failure, missing_directory, refused, told
from reconciler.doors.files._ground import Directory, judged, may_own
from reconciler.doors.files._names import check_mode, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_STEP: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ITSELF: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS: Final = 8


@contextmanager
def open_directory(
    path: str, *, base: Directory | None = None, make: bool = False, mode: int = 0o755
) -> Iterator[Directory]:
    """Hold a directory open for reading, writing and fsync; with `make`, missing ones are made with exactly `mode`.

    Raises FileFailed: NoSuchDirectory, PathRefused (link, writable by others, somebody else's tree with `make`, unless
    we are root), or the disk's.
    """
    opened = in_directory(path, _opened, base=base, make=check_mode(mode) if make else None)
    try:
        yield opened
    finally:
        os.close(opened.fd)


@contextmanager
def opened_for_reading(directory: Directory) -> Iterator[Directory]:
    """Hold a directory open once more, for fsync and listing, which an `O_PATH` descriptor refuses."""
    opened = _opened(directory)
    try:
        yield opened
    finally:
        os.close(opened.fd)


def _opened(directory: Directory) -> Directory:
    with told("open", directory.path):
        return replace(directory, fd=os.open(".", _LISTED, dir_fd=directory.fd))


def in_directory(
    path: str, work: Callable[[Directory], T], *, base: Directory | None = None, make: int | None = None
) -> T:
    """Do `work` in a directory held by `O_PATH`: good as `dir_fd` even where we may search but not list.

    In a tenant's tree it is done as him; `work` must not walk again.
    """
    parts = split(path, absolute=base is None)
    with _walking(path, base) as walk:
        return walk.to(parts, lambda: work(walk.here), make)


def in_parent(path: str, work: Callable[[Directory, str], T], *, base: Directory | None = None) -> T:
    """Do `work` in the directory that has the last part of `path`, given that name, as `in_directory` does."""
    parts = _file_parts(path, base)
    with _walking(path, base) as walk:
        return walk.to(parts[:-1], lambda: work(walk.here, parts[-1]))


def following(path: str, work: Callable[[Directory, str], T], *, base: Directory | None = None) -> T:
    """Do `work` where `path` leads, also along links in its last place, with our own rights: for what people name."""
    *before, name = _file_parts(path, base)
    with _walking(path, base) as walk:
        walk.go(before)
        while (text := walk.link(name)) is not None:
            *before, name = walk.targets(text)
            walk.go(before)
            if name in {"", ".", ".."}:
                raise refused(path, "is a link to a directory; name a file")
        return work(walk.here, name)


@contextmanager
def _walking(path: str, base: Directory | None) -> Iterator[_Walk]:
    """Begin a walk; what the machine refuses anywhere on it (descriptors, memory, a disk that is gone) is told."""
    with told("reach", path), closing(_Walk(base)) as walk:
        yield walk


def born_at(path: str) -> tuple[int, int] | None:
    """Give uid and gid of a file that would be made at `path` in a tenant's tree, None elsewhere.

    Raises FileFailed as a write would: NoSuchDirectory, PathRefused, PermissionDenied.
    """
    return in_parent(path, lambda directory, _: directory.born())


def _file_parts(path: str, base: Directory | None) -> tuple[str, ...]:
    parts = split(path, absolute=base is None)
    if not parts or path.endswith("/"):
        raise refused(path, "is a directory; name a file")
    return parts


class _Walk:
    """The directories from the start to where we stand, all held open, so that `..` of a link's text is a step back."""

    def __init__(self, base: Directory | None) -> None:
        self._base = base
        self._links = 0
        self._stack: list[Directory] = []
        if base is None:
            self._root()

    @property
    def here(self) -> Directory:
        if self._stack:
            return self._stack[-1]
        assert self._base is not None  # noqa: S101  the stack is empty only above a base
        return self._base

    def close(self) -> None:
        while self._stack:
            os.close(self._stack.pop().fd)

    def to(self, parts: Sequence[str], work: Callable[[], T], make: int | None = None) -> T:
        """Walk down and do `work`; both as the owner of a tenant's tree from its first directory on."""
        ahead = deque(parts)
        while ahead and self.here.tenant is None:
            self._step(ahead, make)
        return self.here.on_ground(lambda: self._finish(ahead, work, make))

    def _finish(self, ahead: deque[str], work: Callable[[], T], make: int | None) -> T:
        while ahead:
            self._step(ahead, make)
        return work()

    def go(self, parts: Sequence[str]) -> None:
        """Walk down with our own rights."""
        self._finish(deque(parts), lambda: None, None)

    def _step(self, ahead: deque[str], make: int | None) -> None:
        """Take one part; a link puts its text before what is left to walk."""
        name = ahead.popleft()
        if name == "..":
            self._back()
        elif name not in {"", "."} and (text := self._enter(name, make)) is not None:
            ahead.extendleft(reversed(self.targets(text)))

    def targets(self, text: str) -> list[str]:
        """Split a link's text; an absolute one starts again from `/`."""
        if text.startswith("/"):
            self.close()
            self._base = None
            self._root()
        return text.split("/")

    def link(self, name: str) -> str | None:
        """Give the text of a link that may be followed, None for anything else; facts and text are of one inode."""
        path = self.here.join(name)
        try:
            fd = os.open(name, _ITSELF, dir_fd=self.here.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise failure("open", path, error) from error
        try:
            facts = os.fstat(fd)
            if not stat.S_ISLNK(facts.st_mode):
                return None
            self._check_link(path, facts)
            return os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)

    def _check_link(self, path: str, facts: os.stat_result) -> None:
        self._links += 1
        if self.here.tenant is not None:
            raise diverted(
                path, f"is a symbolic link in a tree of uid {self.here.tenant}, where none is followed; name its target"
            )
        if not may_own(facts.st_uid):
            raise refused(
                path, f"is a symbolic link made by uid {facts.st_uid}, which is not followed; name its target"
            )
        # A hard link to a link of root's can be put into /tmp by anybody.
        if self.here.shared and facts.st_nlink > 1:
            raise refused(path, "is a symbolic link with several names in a shared directory; name its target")
        if self._links > _MOST_LINKS:
            raise refused(path, f"is one symbolic link too many, after {_MOST_LINKS}; name the target")

    def _enter(self, name: str, make: int | None) -> str | None:
        """Step into `name`, or give the text of the link that it is."""
        path = self.here.join(name)
        try:
            fd = os.open(name, _STEP, dir_fd=self.here.fd)
        except FileNotFoundError:
            if make is None:
                raise missing_directory(path) from None
            fd = self._make(name, path, make)
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise failure("enter", path, error) from error
            text = self.link(name)
            if text is None:
                raise diverted(path, "is not a directory; correct the path") from error
            return text
        self._push(fd, path)
        return None

    def _make(self, name: str, path: str, mode: int) -> int:
        self.here.born()
        with told("create directory", path):
            made = False
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self.here.fd)
                made = True
            fd = os.open(name, _LISTED, dir_fd=self.here.fd)
            try:
                if made:  # after the umask has had its way; opened above, since fchmod refuses O_PATH
                    os.fchmod(fd, mode)
                    self._sync_here()
                return os.open(".", _STEP, dir_fd=fd)
            finally:
                os.close(fd)

    def _sync_here(self) -> None:
        fd = os.open(".", _LISTED, dir_fd=self.here.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _root(self) -> None:
        with told("open", "/"):
            fd = os.open("/", _STEP)
        self._push(fd, "/")

    def _back(self) -> None:
        if self.here.tenant is not None:
            raise refused(self.here.path, f"is in a tree of uid {self.here.tenant}; a link leads through it and out")
        if len(self._stack) > 1 or (self._stack and self._base is not None):
            os.close(self._stack.pop().fd)
        elif self._base is not None:
            raise refused(self.here.path, "holds a symbolic link that leads out of it; name the target")

    def _push(self, fd: int, path: str) -> None:
        try:
            self._stack.append(judged(fd, path, self.here if self._stack or self._base else None))
        except BaseException:
            os.close(fd)
            raise
