"""Installed files compared with what is wanted and with what we wrote.

An untouched file is told by its stat signature and not opened. What we do not know is ours only if it holds exactly
what we would write there (as after a lost inventory); then it is an UPDATE, which writes the record anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.doors.files.api import FileFailed
from reconciler.errors import Failed
from reconciler.model.names import Part
from reconciler.model.observed import FileChange, FileFact, Revision
from reconciler.model.text import Secret
from reconciler.observe.blocks import block_fact, block_left, made_or_refused, not_a_file
from reconciler.observe.disk import LIMIT, Disk
from reconciler.observe.owners import check_rights, owner_of, tenants
from reconciler.observe.rights import Owner, differing, user_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from reconciler.doors.files.api import FileStat
    from reconciler.model.observed import InstalledFile, Inventory, Live
    from reconciler.model.ports import Artifact

_LEFT_ALONE: Final = frozenset({FileChange.NONE, FileChange.FOREIGN, FileChange.REFUSED})
_OF_OURS: Final = frozenset({FileChange.RESTORE, FileChange.UPDATE})
_WAY_OUT: Final = (
    "give each site a path of its own",
    "give each target a directory of its own (two that change places: move one to a third directory first)",
)
_GONE: Final = frozenset({"NoSuchFile", "NoSuchDirectory"})


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose file a path is, and whether it is given up in this pass: a site in the same target, or on the one named.

    Without a site: what that target's sites share.
    """

    site: str
    leaves: bool
    target: str = ""

    def __str__(self) -> str:
        """Say who it is."""
        words = (f"site {self.site}" if self.site else "", f"target {self.target}" if self.target else "")
        return " on ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Case:
    """What one comparison rests on. `live_directory` is where servers read the live revision's files.

    `holder` tells whose a path is that stands there, `rival` who else wants one that is nobody's, `sharer` which other
    target shares a file among its sites that this one's would share too.
    """

    live: Live
    live_directory: str
    adopt: bool
    holder: Callable[[str], Holder | None]
    site: str = ""
    rival: Callable[[str], Holder | None] = lambda _path: None
    sharer: Callable[[str], Holder | None] = lambda _path: None


def compared(
    disk: Disk, artifacts: Sequence[Artifact], inventory: Inventory | None, case: Case
) -> tuple[FileFact, ...]:
    """Compare what is wanted with the disk, then find what is ours and no longer wanted."""
    ours = {file.path: file for file in inventory.files} if inventory else {}
    facts = [_fact(disk, artifact, ours.get(artifact.path), case) for artifact in artifacts]
    return (*facts, *leaving(disk, ours.values(), {artifact.path for artifact in artifacts}, case.holder, case.site))


def leaving(
    disk: Disk,
    ours: Collection[InstalledFile],
    wanted: Collection[str],
    holder: Callable[[str], Holder | None],
    site: str = "",
) -> tuple[FileFact, ...]:
    """Give a REMOVE for each file of ours that is not wanted, unless the path has become another site's."""
    left = [file for file in ours if file.path not in wanted and (file.fragment or holder(file.path) is None)]
    return tuple(_forgotten(file) if file.part is Part.TASK else _left(disk, file, site) for file in left)


def _forgotten(file: InstalledFile) -> FileFact:
    return FileFact(file.path, file.part, FileChange.REMOVE, "only forgotten: the command is not told")


def _left(disk: Disk, file: InstalledFile, site: str) -> FileFact:
    if file.fragment:
        return block_left(disk, file, site)
    try:
        facts = disk.facts(file.path)
        if facts is None:
            return FileFact(file.path, file.part, FileChange.REMOVE, "gone already")
        if facts.kind != "file":
            return FileFact(file.path, file.part, FileChange.REFUSED, not_a_file(file.path))
        before = disk.text(file.path) if file.part is Part.CONFIG and facts.size <= LIMIT else None
        disk.check_writable(file.path)
    except FileFailed as error:
        if error.reason in _GONE:
            return FileFact(file.path, file.part, FileChange.REMOVE, "gone already")
        return FileFact(file.path, file.part, FileChange.REFUSED, str(error))
    return FileFact(file.path, file.part, FileChange.REMOVE, before=before)


def _fact(disk: Disk, artifact: Artifact, known: InstalledFile | None, case: Case) -> FileFact:
    if artifact.fragment and (sharer := case.sharer(artifact.path)) is not None:
        return FileFact(artifact.path, artifact.part, FileChange.REFUSED, _held_by(artifact.path, sharer))
    if artifact.fragment:
        return block_fact(disk, artifact, known, case.site)
    if artifact.part is Part.TASK:
        return _task(artifact, known, case)
    try:
        facts, born = disk.facts(artifact.path), disk.born(artifact.path)
        owner = owner_of(artifact) if born is None else tenants(artifact, born, facts)
        if facts is not None and facts.kind != "file":
            return FileFact(artifact.path, artifact.part, FileChange.REFUSED, not_a_file(artifact.path))
        change, message = (
            _change(disk, artifact, known, facts, owner) if known else _unknown(disk, artifact, facts, case)
        )
        before = _before(disk, artifact, facts, change)
        if change not in _LEFT_ALONE:
            check_rights(disk, artifact, owner)
    except FileFailed as error:
        return made_or_refused(disk, artifact, error)
    after = artifact.text if change not in _LEFT_ALONE else None
    if known and change is FileChange.NONE and artifact.text is None:
        change, message = _revision(known, case.live)
    rights = _rights(artifact, known, facts, owner, born)
    same = message == rights != "" and (known is None or _revision(known, case.live)[0] is FileChange.NONE)
    as_left = change in _OF_OURS and known is not None and _wish(artifact, known, owner)[0] is FileChange.NONE
    former = as_left and change is FileChange.RESTORE and _is_of_live(artifact, known, case.live)
    return FileFact(artifact.path, artifact.part, change, message, before, after, rights, same, former, as_left)


def _rights(
    artifact: Artifact, known: InstalledFile | None, facts: FileStat | None, owner: Owner, born: tuple[int, int] | None
) -> str:
    """Say whose a file will be in the tree of somebody else, or what becomes of the mode and owner that it has."""
    if facts is None:
        return f"it will be the file of {user_name(born[0])}" if born is not None else ""
    return differing(facts, artifact.mode, _wanted(known, owner))


def _wanted(known: InstalledFile | None, owner: Owner) -> Owner:
    """Give the owner that a file shall have: as declared, else as we made it."""
    if known is None:
        return owner
    return known.uid if owner[0] is None else owner[0], known.gid if owner[1] is None else owner[1]


def _task(artifact: Artifact, known: InstalledFile | None, case: Case) -> FileFact:
    """Compare what a command shall be given with what it was given last."""
    if known is None:
        return FileFact(artifact.path, artifact.part, FileChange.CREATE)
    if known.digest != hashlib.sha256((artifact.text or "").encode()).hexdigest():
        return FileFact(artifact.path, artifact.part, FileChange.UPDATE, "other values than it was given")
    change, message = _revision(known, case.live)
    return FileFact(artifact.path, artifact.part, change, message)


def _before(disk: Disk, artifact: Artifact, facts: FileStat | None, change: FileChange) -> str | None:
    shown = change in (FileChange.UPDATE, FileChange.RESTORE, FileChange.ADOPT) and artifact.text is not None
    return disk.text(artifact.path) if shown and facts is not None and facts.size <= LIMIT else None


def _change(
    disk: Disk,
    artifact: Artifact,
    known: InstalledFile,
    facts: FileStat | None,
    owner: Owner,
) -> tuple[FileChange, str]:
    """Compare a file of ours with how we left it, then with what is wanted now."""
    if facts is None:
        return FileChange.RESTORE, "it was removed"
    if facts.signature != known.signature:
        if facts.size > LIMIT or disk.digest(known.path) != known.digest:
            return FileChange.RESTORE, "its content was changed"
        if differing(facts, known.mode, (known.uid, known.gid)):
            return FileChange.RESTORE, differing(facts, artifact.mode, _wanted(known, owner))
    return _wish(artifact, known, owner)


def _wish(artifact: Artifact, known: InstalledFile, owner: Owner) -> tuple[FileChange, str]:
    if artifact.text is not None and hashlib.sha256(artifact.text.encode()).hexdigest() != known.digest:
        return FileChange.UPDATE, ""
    if artifact.part is not known.part:
        return FileChange.UPDATE, f"it shall hold {artifact.part.value}, now {known.part.value}"
    rights = differing(known, artifact.mode, owner)
    return (FileChange.UPDATE, rights) if rights else (FileChange.NONE, "")


def _is_of_live(artifact: Artifact, known: InstalledFile | None, live: Live) -> bool:
    """Tell whether a file as we left it is of the certificate in use, or the same for each."""
    return known is not None and (artifact.text is not None or _revision(known, live)[0] is FileChange.NONE)


def _revision(known: InstalledFile, live: Live) -> tuple[FileChange, str]:
    if not isinstance(live, Revision) or known.revision == live.id:
        return FileChange.NONE, ""
    return FileChange.UPDATE, f"it shall hold {live.id}, now {known.revision or 'nothing known'}"


def _unknown(disk: Disk, artifact: Artifact, facts: FileStat | None, case: Case) -> tuple[FileChange, str]:
    """Judge a path that is not in the site's inventory."""
    holder = (None if facts is None else case.holder(artifact.path)) or case.rival(artifact.path)
    if holder is None and facts is None:
        return FileChange.CREATE, ""
    if holder is not None and not holder.leaves:
        return FileChange.REFUSED, _held_by(artifact.path, holder)
    if holder is not None:
        return FileChange.UPDATE, f"taken over from {holder}"
    if holds_wanted(disk, artifact, case):
        return FileChange.UPDATE, "it holds what is wanted; our record of it is missing"
    return (FileChange.ADOPT, "") if case.adopt else (FileChange.FOREIGN, "not ours")


def _held_by(path: str, holder: Holder) -> str:
    return f"{path} is a file of {holder}; {_WAY_OUT[bool(holder.target)]}"


def holds_wanted(disk: Disk, artifact: Artifact, case: Case) -> bool:
    """Tell whether a path holds exactly what is wanted there, whoever wrote it."""
    try:
        content = disk.read(artifact.path)
        if artifact.text is not None:
            return content == artifact.text.encode()
        return isinstance(case.live, Revision) and _is_part(disk, artifact.part, content, case)
    except Failed:
        return False


def _is_part(disk: Disk, part: Part, content: bytes, case: Case) -> bool:
    """Compare with the live revision; a key by whether it fits its certificate, so that the store's is not read."""
    public = disk.public(case.live_directory, ("cert.pem", "chain.pem", "fullchain.pem"))
    fullchain = public["fullchain.pem"]
    match part:
        case Part.CERTIFICATE:
            return content == public["cert.pem"]
        case Part.CHAIN:
            return content == public["chain.pem"]
        case Part.FULLCHAIN:
            return content == fullchain
        case Part.KEY:
            return _fits(content, fullchain)
        case Part.COMBINED:
            return content.endswith(fullchain) and _fits(content.removesuffix(fullchain), fullchain)
        case Part.CONFIG | Part.TASK:
            return False


def _fits(key: bytes, fullchain: bytes) -> bool:
    x509.check_pair(fullchain, Secret(key))
    return True
