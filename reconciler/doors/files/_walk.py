"""The walk: from `/` to a directory, part by part, so that nobody can swap a part for a link while we are under way.

Each step opens one name relative to the directory that is already held open (`O_NOFOLLOW` guards the last part of a
path only, and `realpath` first, open later was beaten by a swap in between). Three kinds of ground:

- trusted: owned by root or by us, writable by nobody else. A link that is root's or ours is walked too.
- shared: a sticky directory as `/tmp`. Whoever owns the next part decides.
- a tenant's tree: from the first directory that belongs to somebody else downwards. No link is followed there, nothing
  is written.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from reconciler.doors.files._failures import FileFailed, failure, missing_directory, refused, told
from reconciler.doors.files._names import check_mode, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ITSELF: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS: Final = 8


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory held open. `path` is for messages; `tenant` the uid whose tree it is in; `shared` as /tmp."""

    fd: int
    path: str
    tenant: int | None = None
    shared: bool = False

    def fileno(self) -> int:
        """Give the descriptor, so that `os` functions take this object's word for it."""
        return self.fd

    def join(self, name: str) -> str:
        """Give the path of a name in here."""
        return f"{self.path.rstrip('/')}/{name}"


@contextmanager
def open_directory(
    path: str, *, base: Directory | None = None, make: bool = False, mode: int = 0o755
) -> Iterator[Directory]:
    """Hold a directory open for reading, writing and fsync; with `make`, missing ones are made with exactly `mode`.

    Raises FileFailed: NoSuchDirectory, PathRefused (link, tenant's tree with `make`, writable by others), or the
    disk's.
    """
    with walked(path, base=base, make=check_mode(mode) if make else None) as found:
        with told("open", found.path):
            fd = os.open(".", _LISTED, dir_fd=found.fd)
        try:
            yield replace(found, fd=fd)
        finally:
            os.close(fd)


@contextmanager
def walked(path: str, *, base: Directory | None = None, make: int | None = None) -> Iterator[Directory]:
    """Hold a directory by an `O_PATH` descriptor: good as `dir_fd` even where we may search but not list."""
    with closing(_Walk(base)) as walk:
        walk.go(split(path, absolute=base is None), make)
        yield walk.here


@contextmanager
def parent(path: str, *, base: Directory | None = None, follow: bool = False) -> Iterator[tuple[Directory, str]]:
    """Hold the directory that has the last part of `path`, and give that name; `follow` goes along a link there."""
    parts = split(path, absolute=base is None)
    if not parts or path.endswith("/"):
        raise refused(path, "is a directory; name a file")
    with closing(_Walk(base)) as walk:
        walk.go(parts[:-1])
        name = parts[-1]
        while follow and (text := walk.link(name)) is not None:
            *before, name = walk.targets(text)
            walk.go(before)
            if name in {"", ".", ".."}:
                raise refused(path, "is a link to a directory; name a file")
        yield walk.here, name


def may_own(uid: int) -> bool:
    """Tell whether root or we own something: the two owners that are trusted."""
    return uid in {0, os.geteuid()}


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

    def go(self, parts: Iterable[str], make: int | None = None) -> None:
        """Walk down; a link puts its text before what is left to walk."""
        ahead = deque(parts)
        while ahead:
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
            raise refused(
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
                raise refused(path, "is not a directory; correct the path") from error
            return text
        self._push(fd, path)
        return None

    def _make(self, name: str, path: str, mode: int) -> int:
        if self.here.tenant is not None:
            raise not_ours(self.here)
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
        self._push(os.open("/", _STEP), "/")

    def _back(self) -> None:
        if len(self._stack) > 1 or (self._stack and self._base is not None):
            os.close(self._stack.pop().fd)
        elif self._base is not None:
            raise refused(self.here.path, "holds a symbolic link that leads out of it; name the target")

    def _push(self, fd: int, path: str) -> None:
        try:
            self._stack.append(_judged(fd, path, self.here if self._stack or self._base else None))
        except BaseException:
            os.close(fd)
            raise


def not_ours(directory: Directory) -> FileFailed:
    """Say that a directory is in a tenant's tree."""
    return refused(
        directory.path,
        f"lies in a tree of uid {directory.tenant}, and certwright writes only where root or its own user (uid "
        f"{os.geteuid()}) owns every directory; use another directory or change the owner",
    )


def _judged(fd: int, path: str, above: Directory | None) -> Directory:
    """Decide what kind of ground a directory is; one that others may write to, and is not sticky, is refused."""
    facts = os.fstat(fd)
    if above is not None and above.tenant is not None:
        return Directory(fd, path, above.tenant)
    if not may_own(facts.st_uid):
        return Directory(fd, path, facts.st_uid)
    if facts.st_mode & stat.S_ISVTX and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Directory(fd, path, shared=True)
    if facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and not _private_group(facts.st_gid)):
        raise refused(path, f"can be written by others (mode {stat.S_IMODE(facts.st_mode):04o}); run: chmod go-w on it")
    return Directory(fd, path)


@cache
def _private_group(gid: int) -> bool:
    """Tell whether an ordinary user's own group is meant, with nobody else in it.

    Distributions give such users umask 002. Never for root: a directory of root's that a group may write is refused.
    """
    uid = os.geteuid()
    if uid == 0:
        return False
    try:
        me, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return me.pw_gid == gid and group.gr_name == me.pw_name and set(group.gr_mem) <= {me.pw_name}
