"""Mode, owner and group of a file: how they differ from what is wanted, in words."""

from __future__ import annotations

import grp
import pwd
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.doors.files.api import FileStat
    from reconciler.model.observed import InstalledFile

Owner = tuple[int | None, int | None]


def differing(there: FileStat | InstalledFile, mode: int, owner: Owner) -> str:
    """Say what is to change, from what to what; empty if nothing is. None in `owner` means that anybody will do."""
    return ", ".join(_words(there, mode, owner))


def _words(there: FileStat | InstalledFile, mode: int, owner: Owner) -> Iterator[str]:
    uid, gid = owner
    if there.mode != mode:
        yield f"mode {there.mode:04o} becomes {mode:04o}"
    if uid is not None and there.uid != uid:
        yield f"owner {user_name(there.uid)} becomes {user_name(uid)}"
    if gid is not None and there.gid != gid:
        yield f"group {_group_name(there.gid)} becomes {_group_name(gid)}"


@cache
def user_name(uid: int) -> str:
    """Give the name of a user, or its number where this machine has no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@cache
def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"
