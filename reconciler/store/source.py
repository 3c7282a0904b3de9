"""`source`: which manifest tree this state follows, and on which machine it was used last."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from reconciler.errors import StoreError
from reconciler.store import reading
from reconciler.store.part import Part

MACHINE_ID: Final = "/etc/machine-id"
_ID: Final = re.compile(rb"[0-9a-f]{32}\s*")


@dataclass(frozen=True, slots=True)
class Source:
    """`tree` names the manifest tree (its paths or its URL), `machine` is from `machine_id`; both are opaque texts.

    `machine` is empty where the machine that used the state last has no id of its own.
    """

    tree: str
    machine: str
    v: int = 1


class Sources(Part):
    """Reads and writes what the state follows, and where."""

    def source(self) -> Source | None:
        """Give what this state follows, None before the first whole pass."""
        return self._load(Source, self._layout.fixed("source"))

    def follow(self, tree: str) -> None:
        """Follow a tree; the machine stays as it is noted, and is noted where none is. The same is not written."""
        former = self.source()
        self._put(Source(tree, (former.machine if former else "") or machine_id()))

    def moved(self) -> bool:
        """Tell whether another machine used this state last. False where either has no id: nobody can tell then."""
        source, here = self.source(), machine_id()
        return source is not None and "" not in (source.machine, here) and source.machine != here

    def accept_machine(self) -> None:
        """Note this machine as the one where the state is used; nothing is noted of a state that follows no tree."""
        source = self.source()
        if source is not None:
            self._put(replace(source, machine=machine_id() or source.machine))

    def _put(self, source: Source) -> None:
        self._save(self._layout.fixed("source"), source)


def machine_id() -> str:
    """Give a text that tells this machine from others: a digest of its machine-id(5); "" where it has none."""
    raw = b""
    with suppress(StoreError):  # what is no file tells nothing
        raw = reading.read(MACHINE_ID, 1024) or b""
    # the id itself is confidential (machine-id(5)): only a keyed digest leaves
    return hashlib.sha256(b"certwright\0" + raw.strip()).hexdigest()[:32] if _ID.fullmatch(raw) else ""
