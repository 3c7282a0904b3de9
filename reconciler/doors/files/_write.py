"""Writes: a new file is finished under another name and renamed over the old one, which is never opened.

The order is fixed: create exclusively with 0600, owner, mode, content, fsync, rename, fsync of the directory. A hard
link to a file of root's therefore stays what it was, no reader sees half a file or a wrong mode, and a power cut
leaves the old or the new. In a tenant's tree there is no step `owner`: what is made as him is born his.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

from reconciler.doors.files._failures import FileFailed, failure, refused, told
from reconciler.doors.files._ground import Directory, may_own
from reconciler.doors.files._names import check_mode, check_part, check_path
from reconciler.doors.files._stat import FileStat, file_stat
from reconciler.doors.files._walk import in_directory, in_parent, opened_for_reading

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PREFIX: Final = ".certwright-"
_TEMPORARY: Final = re.compile(r"\.certwright-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Staged:
    """A finished file under the name `temporary`, waiting beside `path` for `switch` or `discard`."""

    path: str
    temporary: str
    base: Directory | None = None

    @property
    def directory(self) -> str:
        """The directory's path, relative if there is a base."""
        return self.path.rpartition("/")[0] or ("/" if self.base is None else "")


def write_file(
    path: str,
    content: bytes,
    *,
    mode: int,
    uid: int | None = None,
    gid: int | None = None,
    base: Directory | None = None,
) -> FileStat:
    """Put a file in place, durably, whatever was there before; `uid` and `gid` None means ours.

    In a tenant's tree the file is his: another `uid` is refused, and the group is the one it is born with.

    Every part of `path` must be a `check_part`. Parents are not made. Raises FileFailed: NoSuchDirectory, DiskFull,
    PermissionDenied, ReadOnlyFilesystem, PathRefused.
    """
    staged = stage_file(path, content, mode=mode, uid=uid, gid=gid, base=base)
    try:
        return switch(staged)[0]
    except BaseException:
        discard(staged)
        raise


def stage_file(
    path: str,
    content: bytes,
    *,
    mode: int,
    uid: int | None = None,
    gid: int | None = None,
    base: Directory | None = None,
) -> Staged:
    """Do the first half of `write_file`: everything that can fail for want of space or rights, seen by nobody yet."""
    check_path(path if base is None else f"/{path}")
    temporary = _PREFIX + secrets.token_hex(8)

    def stage(directory: Directory, name: str) -> None:
        _check_place(directory, name)
        _create(directory, temporary, content, directory.join(name), (mode, uid, gid))

    in_parent(path, stage, base=base)
    return Staged(path, temporary, base)


def switch(*staged: Staged) -> tuple[FileStat, ...]:
    """Rename staged files into place, in the order given; neighbours in one directory share one fsync of it.

    If one fails, those before it are in place and durable, it and those after it are still staged: the caller decides.
    """
    done: list[FileStat] = []
    for (base, path), batch in groupby(staged, key=lambda one: (one.base, one.directory)):
        in_directory(path, partial(_switch_all, tuple(batch), done), base=base)
    return tuple(done)


def discard(*staged: Staged) -> None:
    """Remove what was staged and never switched, as far as that is possible: what stays is a leftover."""
    for one in staged:
        with suppress(FileFailed):
            in_directory(one.directory, partial(_unlink, one.temporary), base=one.base)


def create_file(  # noqa: PLR0913  what a file is
    directory: Directory,
    name: str,
    content: bytes,
    *,
    mode: int,
    uid: int | None = None,
    gid: int | None = None,
    shown_as: str = "",
) -> None:
    """Make a file that does not exist yet, with its final owner and mode before any content, and fsync it.

    The name is durable only after `sync_directory`. On failure nothing is left. `shown_as`: the path for messages.
    """
    where = shown_as or directory.join(name)
    directory.on_ground(lambda: _create(directory, name, content, where, (mode, uid, gid)))


def _create(
    directory: Directory, name: str, content: bytes, where: str, rights: tuple[int, int | None, int | None]
) -> None:
    mode, uid, gid = rights
    check_mode(mode)
    born = directory.born()
    if born is not None:
        if uid not in {None, born[0]}:
            raise refused(where, f"lies in a tree of uid {born[0]}, so it can only be his, not uid {uid}'s")
        uid = gid = None
    with told("write", where):
        fd = os.open(check_part(name), _CREATE, 0o600, dir_fd=directory.fd)
    try:
        _fill(fd, content, mode, -1 if uid is None else uid, -1 if gid is None else gid)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(name, dir_fd=directory.fd)
        if isinstance(error, OSError):
            raise failure("write", where, error) from error
        raise
    finally:
        os.close(fd)


def sync_directory(directory: Directory) -> None:
    """Make the names in a directory from `open_directory` durable."""
    with told("write", directory.path):
        os.fsync(directory.fd)


def remove_file(path: str, *, base: Directory | None = None, expected: FileStat | None = None) -> bool:
    """Remove a file or a link, durably; False if there was none.

    With `expected`, only if it is still that inode on that device: else PathRefused. A directory or a device is
    refused.
    """

    def remove(directory: Directory, name: str) -> bool:
        facts = _check_place(directory, name)
        if facts is None:
            return False
        if expected is not None and (facts.st_dev, facts.st_ino) != (expected.device, expected.inode):
            raise refused(directory.join(name), "is not the file that was put there; remove it by hand if it may go")
        with told("remove", directory.join(name)):
            os.unlink(name, dir_fd=directory.fd)
        _sync(directory)
        return True

    return in_parent(path, remove, base=base)


def rename_file(path: str, name: str, *, base: Directory | None = None) -> None:
    """Give a file that another program made another name in its directory, over what stands there, durably.

    What it holds is synced first: nobody finds an empty file under the name after a crash.
    """

    def rename(directory: Directory, old: str) -> None:
        where = directory.join(check_part(name))
        for one in (old, name):
            _check_place(directory, one)
        with told("write", where):
            fd = os.open(old, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory.fd)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(old, name, src_dir_fd=directory.fd, dst_dir_fd=directory.fd)
        _sync(directory)

    in_parent(path, rename, base=base)


def remove_directory(path: str, *, base: Directory | None = None) -> bool:
    """Remove an empty directory that we made; False if there was none, PathRefused if it holds something."""

    def remove(directory: Directory, name: str) -> bool:
        directory.born()
        with told("remove", directory.join(name)):
            try:
                os.rmdir(name, dir_fd=directory.fd)
            except FileNotFoundError:
                return False
        _sync(directory)
        return True

    return in_parent(path, remove, base=base)


def remove_leftovers(path: str, *, base: Directory | None = None) -> int:
    """Remove files that a killed `stage_file` left in a directory; give their number.

    Call it only while nobody else stages there.
    """

    def clean(place: Directory) -> int:
        with opened_for_reading(place) as directory, told("clean up", directory.path):
            with os.scandir(directory.fd) as entries:
                names = [entry.name for entry in entries if _TEMPORARY.fullmatch(entry.name)]
            for name in names:
                if _check_place(directory, name) is not None:
                    os.unlink(name, dir_fd=directory.fd)
            return len(names)

    return in_directory(path, clean, base=base)


def _sync(directory: Directory) -> None:
    with opened_for_reading(directory) as opened:
        sync_directory(opened)


def _unlink(name: str, directory: Directory) -> None:
    with told("remove", directory.join(name)):
        os.unlink(name, dir_fd=directory.fd)


def _fill(fd: int, content: bytes, mode: int, uid: int, gid: int) -> None:
    if (uid, gid) != (-1, -1):
        os.fchown(fd, uid, gid)
    os.fchmod(fd, mode)  # after the owner: chown clears bits; not by open: the umask cuts there
    left = memoryview(content)
    while left:
        left = left[os.write(fd, left) :]
    os.fsync(fd)


def _switch_all(batch: tuple[Staged, ...], done: list[FileStat], directory: Directory) -> None:
    try:
        done.extend(_switched(directory, one) for one in batch)
    finally:
        _sync(directory)


def _switched(directory: Directory, staged: Staged) -> FileStat:
    name = staged.path.rpartition("/")[2]
    _check_place(directory, name)
    with told("write", directory.join(name)):
        os.rename(staged.temporary, name, src_dir_fd=directory.fd, dst_dir_fd=directory.fd)
        return file_stat(os.stat(name, dir_fd=directory.fd, follow_symlinks=False))


def _check_place(directory: Directory, name: str) -> os.stat_result | None:
    """Refuse to replace or remove what is not a file or a link, or, where others may write, what somebody else owns."""
    born = directory.born()
    where = directory.join(name)
    with told("look at", where):
        try:
            facts = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
    if not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
        raise refused(where, "is not a regular file (a directory, pipe, socket or device); choose another path")
    if born is not None and facts.st_uid != born[0]:
        told_owner = f"belongs to uid {facts.st_uid} in a tree of uid {born[0]}; remove it, or choose another path"
        raise refused(where, told_owner)
    if directory.shared and not may_own(facts.st_uid):
        raise refused(where, f"belongs to uid {facts.st_uid} in a shared directory; choose another path")
    return facts
