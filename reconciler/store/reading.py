"""All reads of the store that are not sqlite's: whole files, names, links. Absent is None or empty, never an error."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Final

from reconciler.errors import OddFile, StoreError
from reconciler.model.text import clean
from reconciler.store.trouble import told, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLACK: Final = 20_000_000  # nanoseconds; the kernel stamps files by a clock that lags by up to one tick
MOST: Final = 8 * 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read(path: str, most: int = MOST) -> bytes | None:
    """Give a file's bytes, None if it is not there; OddFile if it is no plain file of at most `most` bytes."""
    found = read_with_mode(path, most)
    return None if found is None else found[0]


def read_with_mode(path: str, most: int = MOST) -> tuple[bytes, int] | None:
    """Give a file's bytes and its permission bits."""
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
                raise OddFile(f"{clean(path, 300)} is not a plain file of at most {most} bytes; move it away")
            return _all(descriptor, facts.st_size), stat.S_IMODE(facts.st_mode)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable("read", path, error) from error


def _all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def names(path: str) -> list[str]:
    """Give the names in a directory, unsorted; none if it is not there."""
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable("list", path, error) from error


def stems(found: Iterable[str]) -> list[str]:
    """Give the names of the records among file names: those that end in `.json`, without it."""
    return [name[:-5] for name in found if name.endswith(".json")]


def link(path: str) -> str | None:
    """Give a symbolic link's text; None if nothing is there, empty if something else is."""
    try:
        return os.readlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == 22:  # noqa: PLR2004  EINVAL: not a symbolic link
            return ""
        raise unreadable("read", path, error) from error


def exists(path: str) -> bool:
    """Tell whether something is there, without following a link."""
    return os.path.lexists(path)


def is_plain(path: str) -> bool:
    """Tell whether a plain file is there, or nothing at all."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def identity(path: str) -> tuple[int, int] | None:
    """Give device and inode of what stands there; None if nothing does."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def signature(paths: Iterable[str], slack: int = _SLACK) -> tuple[int, ...] | None:
    """Give what tells that files are as they were: change time, inode, mode and size of each.

    None if one is missing, or changed so lately (`slack`, in ns) that a further change could bear the same time.
    """
    found: list[int] = []
    latest = time.time_ns() - slack
    for path in paths:
        try:
            facts = os.lstat(path)
        except OSError:
            return None
        if facts.st_ctime_ns > latest:
            return None
        found += (facts.st_ctime_ns, facts.st_ino, facts.st_mode, facts.st_size)
    return tuple(found)


def owner_and_mode(path: str) -> tuple[int, int] | None:
    """Give uid and permission bits of a directory; None if nothing is there; StoreError if it is no directory."""
    with told("look at", path):
        try:
            facts = os.stat(path)
        except FileNotFoundError:
            return None
    if not stat.S_ISDIR(facts.st_mode):
        raise StoreError(f"{clean(path, 300)} is not a directory; name another one by --state")
    return facts.st_uid, stat.S_IMODE(facts.st_mode)


def changed_at(path: str) -> float | None:
    """Give when a directory was last moved or changed, in seconds since 1970 (its ctime, which a rename sets)."""
    try:
        return os.lstat(path).st_ctime
    except FileNotFoundError:
        return None
