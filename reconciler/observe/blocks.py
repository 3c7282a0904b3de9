"""A site's block in a file that the target's sites share, compared with what is wanted and with what we wrote."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.doors.files.api import FileFailed
from reconciler.model.fragments import Parted
from reconciler.model.names import Part
from reconciler.model.observed import FileChange, FileFact
from reconciler.observe.owners import check_configuration
from reconciler.observe.rights import differing

if TYPE_CHECKING:
    from reconciler.doors.files.api import FileStat
    from reconciler.model.observed import InstalledFile
    from reconciler.model.ports import Artifact
    from reconciler.observe.disk import Disk

_GONE: Final = frozenset({"NoSuchFile", "NoSuchDirectory"})


def block_fact(disk: Disk, artifact: Artifact, known: InstalledFile | None, site: str) -> FileFact:
    """Compare a block that is wanted with the one that stands there."""
    try:
        facts = disk.facts(artifact.path)
        check_configuration(artifact, disk.born(artifact.path))
        if facts is not None and facts.kind != "file":
            return FileFact(artifact.path, artifact.part, FileChange.REFUSED, not_a_file(artifact.path))
        if known is not None and facts is not None and facts.signature == known.signature and _holds(artifact, known):
            return FileFact(artifact.path, artifact.part, FileChange.NONE)  # as this site left it, so not opened
        parted = disk.parted(artifact.path, facts) if facts is not None else Parted()
    except FileFailed as error:
        return replace(made_or_refused(disk, artifact, error), torn=known is not None)
    if known is None and facts is not None and not parted.is_ours:
        return FileFact(artifact.path, artifact.part, FileChange.FOREIGN, "not ours", fragment=True)
    before = parted.blocks.get(site)
    change, message = _change(artifact, known, facts, parted, before)
    if change is FileChange.NONE:
        return FileFact(artifact.path, artifact.part, change)
    # half of a file that is gone altogether would be loaded in the place of nothing
    former = change is FileChange.RESTORE and known is not None and bool(parted.blocks) and _holds(artifact, known)
    fact = FileFact(artifact.path, artifact.part, change, message, before, artifact.text, former=former, as_left=former)
    astray = before is None and parted.holds(artifact.text or "")
    fact = replace(fact, torn=known is not None and (astray or not parted.blocks))
    return _writable(disk, fact)


def _writable(disk: Disk, fact: FileFact) -> FileFact:
    """Give a change back, or its refusal where we may not write."""
    try:
        disk.check_writable(fact.path)
    except FileFailed as error:
        return FileFact(fact.path, fact.part, FileChange.REFUSED, str(error))
    return fact


def _holds(artifact: Artifact, known: InstalledFile) -> bool:
    text = artifact.text or ""
    return artifact.mode == known.mode and hashlib.sha256(text.encode()).hexdigest() == known.digest


def _change(
    artifact: Artifact, known: InstalledFile | None, facts: FileStat | None, parted: Parted, before: str | None
) -> tuple[FileChange, str]:
    if known is None:
        return (FileChange.CREATE if before is None else FileChange.UPDATE), ""
    if facts is None or before is None:
        return FileChange.RESTORE, "it was removed" if facts is None else "our lines were removed"
    if hashlib.sha256(before.encode()).hexdigest() != known.digest:
        return FileChange.RESTORE, "its content was changed"
    rights = differing(facts, known.mode, (known.uid, known.gid))
    if rights:
        return FileChange.RESTORE, rights
    if not parted.headed:
        return FileChange.RESTORE, "what stands above our lines was changed"
    return (FileChange.NONE if _holds(artifact, known) else FileChange.UPDATE), ""


def block_left(disk: Disk, file: InstalledFile, site: str) -> FileFact:
    """Give the removal of a block that is no longer wanted."""
    try:
        facts = disk.facts(file.path)
        if facts is not None and facts.kind != "file":
            return FileFact(file.path, file.part, FileChange.REFUSED, not_a_file(file.path))
        before = disk.parted(file.path, facts).blocks.get(site) if facts is not None else None
        if before is not None:
            disk.check_writable(file.path)
    except FileFailed as error:
        if error.reason not in _GONE:
            return FileFact(file.path, file.part, FileChange.REFUSED, str(error))
        before = None
    return FileFact(file.path, file.part, FileChange.REMOVE, "gone already" if before is None else "", before=before)


def made_or_refused(disk: Disk, artifact: Artifact, error: FileFailed) -> FileFact:
    """Give the making of a file where only the target's own directory is missing, else why its path cannot be used.

    What belongs into such a directory stands nowhere else; we make it.
    """
    try:
        if _will_be_made(disk, artifact, error):
            disk.check_writable(artifact.path.rpartition("/")[0])
            return FileFact(artifact.path, artifact.part, FileChange.CREATE, after=artifact.text)
    except FileFailed as lacking:
        error = lacking
    return FileFact(artifact.path, artifact.part, FileChange.REFUSED, str(error))


def _will_be_made(disk: Disk, artifact: Artifact, error: FileFailed) -> bool:
    if not (artifact.own_directory or artifact.part is Part.CONFIG) or error.reason != "NoSuchDirectory":
        return False
    directory = artifact.path.rpartition("/")[0]
    try:
        return disk.facts(directory) is None and disk.born(directory) is None
    except FileFailed:
        return False


def not_a_file(path: str) -> str:
    """Say that a path is taken by something else."""
    return f"{path} is a link, a directory or a device and not a file; move it away"
