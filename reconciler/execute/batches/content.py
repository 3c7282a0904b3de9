"""A file's bytes with mode and owner."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace


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
