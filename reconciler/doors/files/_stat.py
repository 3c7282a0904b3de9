"""What the kernel knows about a file, as a value."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class FileStat:
    """Facts of one file: times in nanoseconds since 1970, size in bytes, `mode` the permission bits (0 to 07777)."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int
    mode: int
    uid: int
    gid: int
    device: int
    links: int
    kind: Literal["file", "directory", "link", "other"]

    @property
    def signature(self) -> str:
        """A short text that differs whenever content, owner or mode may have changed (ctime sees them all)."""
        return f"{self.inode:x}.{self.size:x}.{self.mtime_ns:x}.{self.ctime_ns:x}"


def file_stat(facts: os.stat_result) -> FileStat:
    """Take what we use of the kernel's answer."""
    return FileStat(
        mtime_ns=facts.st_mtime_ns,
        ctime_ns=facts.st_ctime_ns,
        size=facts.st_size,
        inode=facts.st_ino,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
        device=facts.st_dev,
        links=facts.st_nlink,
        kind=_kind(facts.st_mode),
    )


def _kind(mode: int) -> Literal["file", "directory", "link", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"
