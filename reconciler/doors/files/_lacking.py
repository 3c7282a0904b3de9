"""What an ordinary user lacks to put a file somewhere: said before anything is tried, with the command that mends it.

Root lacks nothing here; what a file system forbids him is told by the write itself.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

from reconciler.doors.files._failures import FileFailed, shown
from reconciler.doors.files._walk import in_directory

if TYPE_CHECKING:
    from reconciler.doors.files._ground import Directory


def check_writable(path: str, *, base: Directory | None = None) -> None:
    """See that files can be made in the directory `path`. Raises FileFailed: PermissionDenied, or as a walk does."""
    if os.geteuid() != 0:
        in_directory(path, _check, base=base)


def check_giving(path: str, uid: int | None, gid: int | None) -> None:
    """See that we can give a file to `uid` and `gid`; None means that nothing is asked for. Raises FileFailed."""
    me = os.geteuid()
    if me == 0:
        return
    if uid not in {None, me}:
        why = f"shall belong to {_user(uid)}, and only root can give files away; leave `owner` out, or run as root"
        raise FileFailed("PermissionDenied", f"{shown(path)} {why}")
    if gid is not None and gid not in _groups():
        why = f"shall have the group {_group(gid)}, which {_user(me)} is not in"
        mend = f"run: usermod -aG {_group(gid)} {_user(me)}, then start certwright anew; or leave `group` out"
        raise FileFailed("PermissionDenied", f"{shown(path)} {why}; {mend}")


def _check(directory: Directory) -> None:
    """See that we may make and rename files in here."""
    directory.born()
    if os.fstatvfs(directory.fd).f_flag & os.ST_RDONLY:
        return
    if os.access(".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True):
        return
    facts, me = os.fstat(directory.fd), os.geteuid()
    path, mode = shown(directory.path), stat.S_IMODE(facts.st_mode)
    seen = f"it belongs to {_user(facts.st_uid)}:{_group(facts.st_gid)}, mode {mode:04o}"
    own = facts.st_gid in _groups()
    mend = f"chmod g+rwx {path}" if own else f"chgrp {_group(os.getegid())} {path} && chmod g+rwx {path}"
    raise FileFailed("PermissionDenied", f"{path} cannot be written by {_user(me)} ({seen}); run as root: {mend}")


def _groups() -> set[int]:
    return {os.getegid(), *os.getgroups()}


def _user(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    """Give a group as `chgrp` takes it."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
