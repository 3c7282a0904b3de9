"""Names of users and groups to numbers."""

from __future__ import annotations

import grp
import pwd
from functools import cache

from reconciler.doors.files._failures import FileFailed
from reconciler.model.text import clean


def numbers_of(owner: str | None, group: str | None) -> tuple[int | None, int | None]:
    """Give uid and gid, None where whoever writes decides; without `group` an owner's primary group counts.

    Raises FileFailed(PathRefused) for a name that this machine does not know.
    """
    user = _user(owner) if owner is not None else (None, None)
    return user if group is None else (user[0], _group(group))


@cache
def _user(name: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise _unknown("user", name) from None
    return entry.pw_uid, entry.pw_gid


@cache
def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise _unknown("group", name) from None


def _unknown(what: str, name: str) -> FileFailed:
    return FileFailed("PathRefused", f"there is no {what} {clean(name)} on this machine; create it first")
