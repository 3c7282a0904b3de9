"""Who a file should belong to, and whether we can give it to him."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.doors.files.api import FileFailed, check_giving, numbers_of
from reconciler.model.names import Part

if TYPE_CHECKING:
    from reconciler.doors.files.api import FileStat
    from reconciler.model.ports import Artifact
    from reconciler.observe.disk import Disk


def owner_of(artifact: Artifact) -> tuple[int | None, int | None]:
    """Give uid and gid, None where whoever writes decides; without `group` an owner's primary group counts.

    Raises FileFailed(PathRefused) for a name that this machine does not know.
    """
    return numbers_of(artifact.owner, artifact.group)


def tenants(artifact: Artifact, born: tuple[int, int], facts: FileStat | None) -> tuple[None, None]:
    """Check a file in the tree of another user: it is born his (`born`), and only his own is replaced.

    Raises FileFailed(PathRefused): configuration; another owner is asked for, or stands there.
    """
    check_configuration(artifact, born)
    path, uid = artifact.path, born[0]
    wanted = owner_of(artifact)
    if wanted[0] not in {None, uid}:
        why = f"is in a tree of uid {uid}, so it is his and not uid {wanted[0]}'s; leave `owner` out"
    elif artifact.group is not None and wanted[1] != born[1]:
        why = f"is in a tree of uid {uid}, so its group is {born[1]} and not {wanted[1]}; leave `group` out"
    elif facts is not None and facts.uid != uid:
        why = f"belongs to uid {facts.uid} in a tree of uid {uid}; remove it, or choose another path"
    else:
        return None, None
    raise FileFailed("PathRefused", f"{path} {why}")


def check_rights(disk: Disk, artifact: Artifact, owner: tuple[int | None, int | None]) -> None:
    """See that we may put a file there and give it to its owner and group. Raises FileFailed(PermissionDenied)."""
    disk.check_writable(artifact.path)
    check_giving(artifact.path, owner[0], owner[1] if artifact.group is not None else None)


def check_configuration(artifact: Artifact, born: tuple[int, int] | None) -> None:
    """Refuse a server's own directory in the tree of another user: who writes configuration is as good as root."""
    if born is not None and (artifact.part is Part.CONFIG or artifact.own_directory):
        why = f"is in a tree of uid {born[0]}, who could have the server run anything; use a directory of root's"
        raise FileFailed("PathRefused", f"{artifact.path} {why}")
