"""Who a file should belong to: names of users and groups to numbers."""

from __future__ import annotations

import grp
import pwd
from functools import cache
from typing import TYPE_CHECKING

from reconciler.doors.files.api import FileFailed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from reconciler.model.ports import Artifact


def owner_of(artifact: Artifact) -> tuple[int | None, int | None]:
    """Give uid and gid, None where whoever writes decides; without `group` an owner's primary group counts.

    Raises FileFailed(PathRefused) for a name that this machine does not know.
    """
    user = _user(artifact.owner) if artifact.owner is not None else None
    if artifact.group is not None:
        return (None if user is None else user[0]), _group(artifact.group)
    return (None, None) if user is None else user


@cache
def _user(name: str) -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise FileFailed("PathRefused", f"there is no user {clean(name)} on this machine; create it first") from None
    return entry.pw_uid, entry.pw_gid


@cache
def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise FileFailed("PathRefused", f"there is no group {clean(name)} on this machine; create it first") from None
