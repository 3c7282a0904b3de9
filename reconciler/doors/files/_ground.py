"""What kind of ground a directory is, and with whose rights things are done there.

- trusted: owned by root or by us, writable by nobody else. A link that is root's or ours is walked too.
- shared: a sticky directory as `/tmp`. Whoever owns the next part decides.
- a tenant's tree: from the first directory that belongs to somebody else downwards. No link is followed there, no other
  file system entered, and all is done with that owner's rights (`_acting`); only root can, others write nothing there.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from reconciler.doors.files._acting import as_owner, group_of, may_act
from reconciler.doors.files._failures import FileFailed, refused, told

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory held open. `path` is for messages; `tenant` the uid whose tree it is in; `shared` as /tmp.

    `mount` tells the file system of a tenant's tree.
    """

    fd: int
    path: str
    tenant: int | None = None
    shared: bool = False
    mount: bytes = b""

    def fileno(self) -> int:
        """Give the descriptor, so that `os` functions take this object's word for it."""
        return self.fd

    def join(self, name: str) -> str:
        """Give the path of a name in here."""
        return f"{self.path.rstrip('/')}/{name}"

    def on_ground(self, work: Callable[[], T]) -> T:
        """Do `work` in here: with our own rights, in a tenant's tree with his."""
        return work() if self.tenant is None or not may_act() else as_owner(self.tenant, work)

    def born(self) -> tuple[int, int] | None:
        """Give uid and gid of what is made in here, None where we decide. Raises FileFailed where we may not write."""
        if self.tenant is None:
            return None
        if not may_act():
            raise not_ours(self)
        facts = os.fstat(self.fd)
        return self.tenant, facts.st_gid if facts.st_mode & stat.S_ISGID else group_of(self.tenant)


def may_own(uid: int) -> bool:
    """Tell whether root or we own something: the two owners that are trusted."""
    return uid in {0, os.geteuid()}


def not_ours(directory: Directory) -> FileFailed:
    """Say that a directory is in a tenant's tree and we cannot act as him."""
    return refused(
        directory.path,
        f"lies in a tree of uid {directory.tenant}, and only root can act as its owner; run certwright as root, or use "
        f"a directory where root or its own user (uid {os.geteuid()}) owns every part",
    )


def judged(fd: int, path: str, above: Directory | None) -> Directory:
    """Decide what kind of ground a directory is; one that others may write to, and is not sticky, is refused."""
    if above is not None and above.tenant is not None:
        # before any other call: a file system of his own making may let it hang; an ordinary user is not a daemon
        if may_act() and _mount(fd) != above.mount:
            raise refused(path, f"is another file system in a tree of uid {above.tenant}; use a directory outside it")
        return replace(above, fd=fd, path=path)
    facts = os.fstat(fd)
    if not may_own(facts.st_uid):
        return Directory(fd, path, facts.st_uid, mount=_mount(fd) if may_act() else b"")
    if facts.st_mode & stat.S_ISVTX and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Directory(fd, path, shared=True)
    mode = stat.S_IMODE(facts.st_mode)
    if mode & stat.S_IWOTH:
        raise refused(path, f"can be written by others (mode {mode:04o}); run: chmod go-w on it")
    if mode & stat.S_IWGRP and not _private_group(facts.st_gid):
        raise refused(path, f"can be written by {_others_in(facts.st_gid)} (mode {mode:04o}); {_alone(path)}")
    return Directory(fd, path)


def _mount(fd: int) -> bytes:
    """Give the mount that an open file is on: bind mounts share their device, so `st_dev` does not tell them apart."""
    # as bytes: to look up a text's encoding Python may read modules that the tenant cannot
    with told("look at", f"/proc/self/fdinfo/{fd}"), open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
        found = [line.removeprefix(b"mnt_id:").strip() for line in lines if line.startswith(b"mnt_id:")]
    if not found:
        raise refused(f"/proc/self/fdinfo/{fd}", "tells no mount, so a tenant's tree cannot be entered; mount /proc")
    return found[0]


@cache
def _private_group(gid: int) -> bool:
    """Tell whether a group that may write is an ordinary user's own, with nobody else in it.

    That is his primary group of his own name (distributions give such users umask 002), one that names him alone, or
    his own one that this machine has no name for. Never for root: what a group may write is refused.
    """
    uid = os.geteuid()
    if uid == 0 or gid not in {os.getegid(), *os.getgroups()}:
        return False
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return gid == os.getegid() and not _others_of(gid, uid)
    try:
        me = pwd.getpwuid(uid)
    except KeyError:
        return False
    if set(group.gr_mem) - {me.pw_name}:
        return False
    return (me.pw_gid == gid and group.gr_name == me.pw_name) or not _others_of(gid, uid)


def _others_in(gid: int) -> str:
    try:
        name = grp.getgrgid(gid).gr_name
    except KeyError:
        name = str(gid)
    return "others" if os.geteuid() == 0 else f"group {name}, in which others are"


def _alone(path: str) -> str:
    """Say how to shut others out; an ordinary user may need the group's right to write himself."""
    if os.geteuid() == 0:
        return "run: chmod go-w on it"
    return (
        f"run as root: chgrp {os.getegid()} {path}, if uid {os.geteuid()} alone is in that group; or: chmod g-w on it"
    )


def _others_of(gid: int, uid: int) -> list[str]:
    """Give the other accounts whose primary group it is."""
    return [entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid and entry.pw_uid != uid]
