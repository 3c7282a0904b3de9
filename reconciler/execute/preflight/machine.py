"""This machine: room in the state directory, the directories of targets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.model.findings import Check, Finding, Severity
from reconciler.model.names import Part
from reconciler.model.ports import Refusal, SiteOnTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.desired import DesiredSite, TargetUse
    from reconciler.model.ports import Artifact, Target

_LEAST: Final = 64 << 20
_LEAST_FILES: Final = 100
_OTHERS: Final = 0o077


def check_state(root: str) -> Iterator[Finding]:
    """See that there is room, and that nobody else can look in."""
    try:
        room = os.statvfs(root)
        mode = files.stat_file(root)
    except (OSError, Failed) as error:
        seen = str(error) if isinstance(error, Failed) else (error.strerror or "it cannot be looked at")
        yield Finding(Check.STATE, Severity.ERROR, root, seen, "a state directory", f"mkdir -m 0700 {root}")
        return
    free = room.f_bavail * room.f_frsize
    expected = f"{_LEAST >> 20} MiB and {_LEAST_FILES} files free"
    if free < _LEAST or (room.f_files and room.f_favail < _LEAST_FILES):
        seen = f"{free >> 20} MiB and {room.f_favail} files free"
        yield Finding(Check.STATE, Severity.ERROR, root, seen, expected, f"make room; look: df -h {root}; df -i {root}")
    if mode is not None and mode.mode & _OTHERS:
        seen = f"mode {mode.mode:04o}: others can look at keys"
        yield Finding(Check.STATE, Severity.ERROR, root, seen, "mode 0700", f"chmod 0700 {root}")


def check_target(site: DesiredSite, use: TargetUse, target: Target, live: str) -> Iterator[Finding]:
    """See that each file of a site in a target has a directory to stand in."""
    rendered = target.render([SiteOnTarget.of(site, use, live)]).get(site.name, ())
    if isinstance(rendered, Refusal):
        mend = f"correct the Target {use.spec.name}"
        yield Finding(Check.TARGET, Severity.ERROR, use.spec.name, rendered.message, "its files", mend, site.name)
        return
    seen = set()
    for artifact in rendered:
        directory = artifact.path.rpartition("/")[0]
        made = artifact.own_directory or artifact.part is Part.CONFIG
        wanted = directory.rpartition("/")[0] if made and not os.path.lexists(directory) else directory
        if wanted and wanted not in seen:
            seen.add(wanted)
            yield from _directory(site.name, use.spec.name, wanted, configured=made)
        yield from _rights(site.name, use.spec.name, artifact)


def _directory(site: str, target: str, path: str, *, configured: bool) -> Iterator[Finding]:
    expected = f"a directory that the Target {target} writes to"
    try:
        with files.open_directory(path) as held:
            born = held.born()
        if born is not None and configured:
            seen = f"it is in a tree of uid {born[0]}, who could have the server run anything"
            yield Finding(Check.TARGET, Severity.ERROR, path, seen, expected, "use a directory of root's", site)
        files.check_writable(path)
    except files.FileFailed as failure:
        missing = failure.reason == "NoSuchDirectory"
        seen, _, mend = ("it does not exist", "", f"mkdir -p {path}") if missing else str(failure).partition("; ")
        yield Finding(Check.TARGET, Severity.ERROR, path, seen, expected, mend, site)


def _rights(site: str, target: str, artifact: Artifact) -> Iterator[Finding]:
    """See that we can give a file to the owner and group that it shall have."""
    try:
        uid, gid = files.numbers_of(artifact.owner, artifact.group)
        files.check_giving(artifact.path, uid, gid if artifact.group is not None else None)
    except files.FileFailed as failure:
        seen, _, mend = str(failure).partition("; ")
        if failure.reason == "PathRefused":
            mend = f"{mend}, or correct `owner` and `group` in the Target {target}"
        yield Finding(Check.TARGET, Severity.ERROR, artifact.path, seen, "its owner and group", mend, site)
