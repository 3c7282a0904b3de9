"""From what the kernel or sqlite says to one sentence with the path, what was tried, why it failed and the remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.errors import OddFile, StoreError
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 300
_CAUSES: Final = {
    errno.ENOSPC: "the file system is full; free some space or inodes there, nothing was half-written",
    errno.EDQUOT: "the disk quota is used up; raise it or free some space, nothing was half-written",
    errno.EACCES: "permission denied to uid {uid}; run certwright as the user who owns the state directory",
    errno.EPERM: "not permitted to uid {uid}; run certwright as the user who owns the state directory",
    errno.EROFS: "it is read-only; mount it writable, or name the directory in ReadWritePaths= of the systemd unit",
    errno.EIO: "the disk failed; look at the kernel's log, then try again",
    errno.EMFILE: "too many open files; raise LimitNOFILE= of the systemd unit or ulimit -n",
    errno.ELOOP: "a symbolic link stands there, and the store has none there; remove it",
    errno.ENOTDIR: "something that is not a directory stands in the path; move it away",
    errno.EISDIR: "a directory stands in its place; move it away",
    errno.ENOENT: "a directory of the store is gone; was it deleted while certwright ran? Start again",
}
_EVERYWHERE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_ROOM: Final = 64 * 1024
"""What one step of sqlite may ask for at once, its companions' first pages included."""
_UNTOLD: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_READS: Final = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})
_SQLITE: Final = (
    ("full", _CAUSES[errno.ENOSPC]),
    ("readonly", "it cannot be written by uid {uid}; run certwright as the user who owns the state directory"),
    ("locked", "another process has kept it locked; look for a certwright that hangs or was stopped"),
    ("disk I/O", _CAUSES[errno.EIO]),
)


def failure(tried: str, path: str, error: OSError) -> StoreError:
    """Translate; `tried` is a verb such as `write`."""
    why = _CAUSES.get(error.errno or 0, f"{os.strerror(error.errno or 0)}; look at the kernel's log and the disk")
    return StoreError(f"cannot {tried} {clean(path, _LONGEST)}: {why.format(uid=os.geteuid())}")


def unreadable(tried: str, path: str, error: OSError) -> StoreError:
    """Translate a failed read: it is this path's alone, unless the process or the machine has run out of something."""
    told_ = failure(tried, path, error)
    return told_ if error.errno in _EVERYWHERE else OddFile(str(told_))


def database_failure(path: str, error: sqlite3.Error) -> StoreError:
    """Translate what sqlite says."""
    text = str(error)
    why = next(
        (remedy for word, remedy in _SQLITE if word in text),
        f"{clean(text)}; stop certwright, move the file away, start again",
    )
    if _is_untold(error) and _is_full(os.path.dirname(path)):
        why = _CAUSES[errno.ENOSPC]
    return StoreError(f"cannot use {clean(path, _LONGEST)}: {why.format(uid=os.geteuid())}")


def _is_untold(error: sqlite3.Error) -> bool:
    """Tell whether sqlite keeps to itself what the kernel said as it wrote or made a file."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _UNTOLD and code not in _READS


def _is_full(directory: str) -> bool:
    try:
        facts = os.statvfs(directory)
    except OSError:
        return False
    free = facts.f_bfree if os.geteuid() == 0 else facts.f_bavail
    return free * facts.f_frsize < _ROOM or (facts.f_files > 0 and facts.f_ffree == 0)


class told:  # noqa: N801  used as the function that it was: a generator costs three times as much, 50 times a site
    """Translate every `OSError` of the block."""

    __slots__ = ("_path", "_tried")

    def __init__(self, tried: str, path: str) -> None:
        """`tried` is a verb such as `write`."""
        self._tried, self._path = tried, path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        """Raise StoreError where an OSError came."""
        if isinstance(error, OSError):
            raise failure(self._tried, self._path, error) from error


@contextmanager
def told_database(path: str) -> Iterator[None]:
    """Translate every sqlite error of the block."""
    try:
        yield
    except sqlite3.Error as error:
        raise database_failure(path, error) from error
