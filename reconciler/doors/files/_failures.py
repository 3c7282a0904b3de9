"""From an `OSError` to a typed failure: one sentence with the path, what was tried, why it failed and the remedy."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.errors import CertwrightError, Failed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST: Final = 300
_CAUSES: Final = {
    errno.ENOSPC: ("DiskFull", "the file system is full; free some space or inodes there"),
    errno.EDQUOT: ("DiskFull", "the disk quota is used up; raise it or free some space"),
    errno.EACCES: ("PermissionDenied", "permission denied to uid {uid}; {remedy}"),
    errno.EPERM: ("PermissionDenied", "not permitted to uid {uid}; {remedy}"),
    errno.EROFS: (
        "ReadOnlyFilesystem",
        "the file system is read-only; mount it writable, or name the directory in ReadWritePaths= of the systemd unit",
    ),
    errno.ELOOP: ("PathRefused", "it is a symbolic link, which is not followed here; name the file itself"),
    errno.ENOTDIR: ("PathRefused", "a part of it is not a directory; correct the path"),
    errno.EEXIST: ("PathRefused", "it is there already; remove it or choose another path"),
    errno.EISDIR: ("PathRefused", "a directory is in its place; remove that or choose another path"),
    errno.ENAMETOOLONG: ("PathRefused", "the name is too long for the file system; choose a shorter one"),
    errno.ENOTEMPTY: ("PathRefused", "the directory is not empty; look at what it holds"),
    errno.EMFILE: ("DiskError", "too many open files; raise LimitNOFILE= of the systemd unit or ulimit -n"),
}


_OURS: Final = "allow it, or run certwright as a user who may"
_HIS: Final = "the tree is his and certwright acts as he does there; give it to him, or use another path"
_ACTING: Final = threading.local()


class FileFailed(Failed):
    """A file could not be read or written.

    `reason` is DiskFull, PermissionDenied, ReadOnlyFilesystem, NoSuchDirectory, NoSuchFile, DiskError, or PathRefused
    where our own rules said no.
    """


class Diverted(FileFailed):
    """The path leads nowhere: one of its parts is no directory, or a link that is followed for nobody."""


def diverted(path: str, why: str) -> Diverted:
    """Say what stands in the way of `path`; `why` continues the sentence and names the remedy."""
    return Diverted("PathRefused", f"{shown(path)} {why}")


def refused(path: str, why: str) -> FileFailed:
    """Say that our own rules forbid `path`; `why` continues the sentence and names the remedy."""
    return FileFailed("PathRefused", f"{shown(path)} {why}")


def shown(path: str) -> str:
    """Make a path fit for a message: names on disk may hold anything."""
    return clean(path, _LONGEST)


def missing_directory(path: str) -> FileFailed:
    """Say that a directory is not there."""
    return FileFailed(
        "NoSuchDirectory", f"no such directory: {shown(path)}; it is not created by us, so create it first"
    )


def failure(tried: str, path: str, error: OSError) -> FileFailed:
    """Translate; `tried` is a verb phrase such as `write`."""
    code = error.errno or 0
    if code == errno.ENOENT:
        return FileFailed("NoSuchFile", f"cannot {tried} {shown(path)}: no such file; create it or correct the path")
    reason, cause = _CAUSES.get(code, ("DiskError", f"{os.strerror(code)}; look at the kernel's log and the disk"))
    tenant = getattr(_ACTING, "uid", None)
    uid, remedy = (os.geteuid(), _OURS) if tenant is None else (tenant, _HIS)
    return FileFailed(reason, f"cannot {tried} {shown(path)}: {cause.format(uid=uid, remedy=remedy)}")


@contextmanager
def acting(uid: int) -> Iterator[None]:
    """Let the failures of this thread name `uid`, as whom it acts."""
    _ACTING.uid = uid
    try:
        yield
    finally:
        _ACTING.uid = None


def acts() -> bool:
    """Tell whether this thread acts as somebody else."""
    return getattr(_ACTING, "uid", None) is not None


@contextmanager
def told(tried: str, path: str) -> Iterator[None]:
    """Translate every `OSError` of the block."""
    try:
        yield
    except OSError as error:
        raise failure(tried, path, error) from error


@contextmanager
def told_as(make: Callable[[str], CertwrightError]) -> Iterator[None]:
    """Let each `FileFailed` of the block leave as another type with the same sentence, such as StoreError."""
    try:
        yield
    except FileFailed as error:
        raise make(str(error)) from error
