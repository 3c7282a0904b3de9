"""`source`: which manifest tree this state follows, and on which machine it was used last."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from reconciler.store import reading
from reconciler.store.part import Part


@dataclass(frozen=True, slots=True)
class Source:
    """`tree` names the manifest tree (its paths or its URL), `machine` is from `machine_id`; both are opaque texts."""

    tree: str
    machine: str
    v: int = 1


class Sources(Part):
    """Reads and writes what the state follows."""

    def source(self) -> Source | None:
        """Give what this state follows, None before the first whole pass."""
        return self._load(Source, self._layout.fixed("source"))

    def follow(self, source: Source) -> None:
        """Follow another tree or move to another machine; the same again is not written."""
        self._save(self._layout.fixed("source"), source)


def machine_id() -> str:
    """Give a text that tells this machine from others: a digest of /etc/machine-id, else of the host's name."""
    raw = reading.read("/etc/machine-id", 1024) or b""
    identity = raw.strip() or os.uname().nodename.encode()
    # the id itself is confidential (machine-id(5)): only a keyed digest leaves
    return hashlib.sha256(b"certwright\0" + identity).hexdigest()[:32]
