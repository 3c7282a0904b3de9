"""Guarded reads: what is there may be a pipe that hangs, a device, huge, or another name of somebody's secret."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reconciler.doors.files._failures import FileFailed, failure, refused, told
from reconciler.doors.files._ground import Directory, may_own
from reconciler.doors.files._stat import FileStat, file_stat
from reconciler.doors.files._walk import following, in_directory, in_parent, opened_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

MEBIBYTE: Final = 1 << 20
_MOST_NAMES: Final = 1_000_000
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BLOCK: Final = 1 << 16


def read_file(
    path: str, limit: int = MEBIBYTE, *, base: Directory | None = None, follow: bool = False, one_name: bool = False
) -> bytes:
    """Read a regular file of at most `limit` bytes.

    `follow` goes along links that root or we made (a link of anybody else is always refused), with our own rights
    everywhere: for files that a person names to us. `one_name` refuses a file with several hard links, which is always
    done in a tenant's tree. Raises FileFailed: NoSuchFile,
    NoSuchDirectory, PathRefused, ...
    """
    return read_with_stat(path, limit, base=base, follow=follow, one_name=one_name)[0]


def read_with_stat(
    path: str, limit: int = MEBIBYTE, *, base: Directory | None = None, follow: bool = False, one_name: bool = False
) -> tuple[bytes, FileStat]:
    """Read as `read_file` does, and give the facts of the very file that was read."""
    go = following if follow else in_parent
    return go(path, lambda directory, name: _read(directory, name, limit, one_name=one_name), base=base)


def _read(directory: Directory, name: str, limit: int, *, one_name: bool) -> tuple[bytes, FileStat]:
    where = directory.join(name)
    _check_regular(where, _facts(directory, name, where))  # before opening: to open a device may do something
    with told("read", where):
        fd = os.open(name, _READ, dir_fd=directory.fd)
    try:
        facts = os.fstat(fd)
        _check_regular(where, facts)
        foreign = directory.tenant is not None or (directory.shared and not may_own(facts.st_uid))
        if facts.st_nlink != 1 and (one_name or foreign):
            raise refused(where, f"has {facts.st_nlink} names (hard links), so it may be another file; copy it")
        return _bounded(fd, where, facts.st_size, limit), file_stat(facts)
    finally:
        os.close(fd)


def stat_file(path: str, *, base: Directory | None = None, follow: bool = False) -> FileStat | None:
    """Give the facts of whatever is at `path`, a link itself unless `follow`; None if missing."""
    try:
        go = following if follow else in_parent
        return go(path, lambda directory, name: file_stat(_facts(directory, name, directory.join(name))), base=base)
    except FileFailed as error:
        if error.reason in {"NoSuchFile", "NoSuchDirectory"}:
            return None
        raise


def list_directory(path: str, *, base: Directory | None = None, most: int = _MOST_NAMES) -> tuple[str, ...]:
    """Give the sorted names in a directory; more than `most` are refused. As on disk: check before use."""
    return in_directory(path, lambda found: tuple(sorted(entry.name for entry in _entries(found, most))), base=base)


def stat_directory(path: str, *, base: Directory | None = None, most: int = _MOST_NAMES) -> dict[str, FileStat]:
    """Give the facts of all that stands in a directory, links themselves; what goes meanwhile is left out."""
    return in_directory(path, lambda found: dict(_facts_of_all(found, most)), base=base)


def _facts_of_all(found: Directory, most: int) -> Iterator[tuple[str, FileStat]]:
    for entry in _entries(found, most):
        with suppress(FileNotFoundError):
            yield entry.name, file_stat(entry.stat(follow_symlinks=False))


def _entries(found: Directory, most: int) -> Iterator[os.DirEntry[str]]:
    with opened_for_reading(found) as directory, told("list", directory.path), os.scandir(directory.fd) as entries:
        for count, entry in enumerate(entries):
            if count >= most:
                raise refused(directory.path, f"holds more than {most} names; move some elsewhere")
            yield entry


def _facts(directory: Directory, name: str, where: str) -> os.stat_result:
    with told("read", where):
        return os.stat(name, dir_fd=directory.fd, follow_symlinks=False)


def _check_regular(where: str, facts: os.stat_result) -> None:
    if stat.S_ISLNK(facts.st_mode):
        raise refused(where, "is a symbolic link, which is not followed here; name the file itself")
    if not stat.S_ISREG(facts.st_mode):
        raise refused(where, "is not a regular file (a directory, pipe, socket or device); name a regular file")


def _bounded(fd: int, where: str, size: int, limit: int) -> bytes:
    """Read one byte more than allowed at most: the file may grow, and /proc tells size 0."""
    if size > limit:
        raise refused(where, f"has {size} bytes, more than the {limit} allowed; make it smaller")
    content = bytearray()
    try:
        while len(content) <= limit and (block := os.read(fd, min(_BLOCK, limit + 1 - len(content)))):
            content += block
    except OSError as error:
        raise failure("read", where, error) from error
    if len(content) > limit:
        raise refused(where, f"has more than the {limit} bytes allowed; make it smaller")
    return bytes(content)
