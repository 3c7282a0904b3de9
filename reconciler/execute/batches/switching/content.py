"""A file's bytes with mode and owner, and what stands at a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from reconciler.doors.files import api as files

_LIMIT: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, mode and numeric owner."""

    data: bytes
    mode: int
    uid: int
    gid: int

    @property
    def plain(self) -> Content:
        """Give it without set-id and sticky bits, which we write for nobody."""
        return replace(self, mode=self.mode & 0o777)

    @property
    def digest(self) -> str:
        """Give the sha256 in hex."""
        return hashlib.sha256(self.data).hexdigest()


def read(path: str) -> Content | None:
    """Read what stands at a path now; None if nothing does. Raises Failed where the path cannot be used."""
    if files.stat_file(path) is None:
        return None
    data, facts = files.read_with_stat(path, _LIMIT)
    return Content(data, facts.mode, facts.uid, facts.gid)
