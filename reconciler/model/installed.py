"""Files of ours in targets: as they were written, and compared with what is wanted now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler.model.desired import TargetSpec
from reconciler.model.memory import Failures, LastFailure
from reconciler.model.names import Part


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of ours as we wrote it. `signature` is its stat right after: an untouched file is not read again.

    `fragment`: only the site's block in a file that sites share is meant; `digest` is the block's.
    """

    path: str
    part: Part
    digest: str
    mode: int
    uid: int
    gid: int
    signature: str
    revision: str | None = None
    fragment: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """What we own of one site in one target, and what its server had loaded at its last good reload.

    `loaded` is the live revision then, `loaded_digest` the digest of the installed files then. `restored`: files were
    put back since, so the server may have loaded what stood there in between.
    """

    site: str
    files: tuple[InstalledFile, ...] = ()
    loaded: str | None = None
    loaded_digest: str | None = None
    restored: bool = False
    v: int = 1

    @property
    def revision(self) -> str | None:
        """Give the revision that copies hold, None if there are none or they differ."""
        held = {file.revision for file in self.files if file.revision}
        return held.pop() if len(held) == 1 else None

    def put_back(self, files: tuple[InstalledFile, ...]) -> Inventory:
        """Give it with files that were put back."""
        return replace(self, files=files, restored=True)

    @property
    def digest(self) -> str:
        """Digest the files as we wrote them: paths, contents, modes, owners. `loaded_digest` is compared with it."""
        rows = sorted(f"{file.path}\0{file.digest}\0{file.mode:o}\0{file.uid}\0{file.gid}" for file in self.files)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Built:
    """A file that a target's own command made of ours, as it was left: by its stat signature. `kind`: what it is."""

    path: str
    signature: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A target as it was last installed (its removal may come after its manifest is gone).

    `built`: what its own command made at the last good reload.
    """

    spec: TargetSpec
    last_reload: datetime | None = None
    failures: Failures = field(default_factory=Failures)
    shared: Inventory = field(default_factory=lambda: Inventory(site=""))
    built: tuple[Built, ...] = ()
    v: int = 1


class FileChange(StrEnum):
    """How a file on disk differs from what is wanted."""

    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    RESTORE = "restore"
    ADOPT = "adopt"
    REMOVE = "remove"
    FOREIGN = "foreign"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file that a site wants in a target (or has there and no longer wants), compared with the disk.

    RESTORE: ours, and someone changed it. FOREIGN: not ours, stands where ours should (`existing: refuse`).
    REFUSED: the path cannot be used; `message` says why. `before` and `after` are texts of `config` files only.
    `rights` says whose it will be, or how mode and owner are to change; `same` that the content stays as it is.
    `former`: a RESTORE brings back exactly what was installed, which is what is wanted now. `as_left`: what was
    installed is wanted now, but maybe of another certificate; a RESTORE, or an UPDATE for that alone. `torn`: its lines
    stood in a file that sites share, and nobody's are there now, or they are without their mark, so that others' go
    over them.
    `fragment`: sites share the file, so that it is never adopted.
    """

    path: str
    part: Part
    change: FileChange
    message: str = ""
    before: str | None = None
    after: str | None = None
    rights: str = ""
    same: bool = False
    former: bool = False
    as_left: bool = False
    torn: bool = False
    fragment: bool = False


@dataclass(frozen=True, slots=True)
class OnTarget:
    """A site in a target: its files compared, what the copies hold and what the server has loaded.

    Of what the target's sites share: `built`, the paths that its own command makes, and `unbuilt`, which of them is not
    as that left it, in a sentence.
    """

    target: str
    files: tuple[FileFact, ...] = ()
    copies: bool = False
    inventory: Inventory | None = None
    digest: str = ""
    problem: LastFailure | None = None
    built: tuple[str, ...] = ()
    unbuilt: str = ""
