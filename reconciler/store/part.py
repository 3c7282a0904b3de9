"""What every part of the store stands on: the paths, the one way to write, the locks, the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from reconciler.errors import OddFile, StoreError
from reconciler.model.text import Secret, clean
from reconciler.store import atomic, reading, records

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.ports import Clock, Lease
    from reconciler.store.layout import Layout
    from reconciler.store.ledger import Ledger
    from reconciler.store.locks import Locks

T = TypeVar("T")
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Ground:
    """What `open_store` found or made. `scratch` is None for a store that is only read; `version` is the program's."""

    layout: Layout
    locks: Locks
    ledger: Ledger
    clock: Clock
    version: str
    scratch: atomic.Scratch | None


class Part:
    """Base of the parts; `FileStore` is all of them over one ground."""

    def __init__(self, ground: Ground) -> None:
        """Stand on it."""
        self._ground = ground
        self._layout, self._locks, self._ledger = ground.layout, ground.locks, ground.ledger

    @property
    def writable(self) -> bool:
        """Tell whether the store was opened for writing."""
        return self._ground.scratch is not None

    @property
    def _scratch(self) -> atomic.Scratch:
        self._must_be_writable()
        return cast("atomic.Scratch", self._ground.scratch)

    def _must_be_writable(self) -> None:
        if self._ground.scratch is None:
            raise StoreError(f"{clean(self._layout.root, 300)} was opened for reading only; nothing was written")

    def event(self, site: str, reason: str, message: str, at: datetime) -> None:
        """Record an event; bounded to 50 a site and 90 days."""
        self._must_be_writable()
        self._ledger.event(site, reason, message, at)

    def _check(self, lease: Lease, *scopes: str) -> None:
        self._locks.check(lease, *scopes)

    def _load(self, kind: type[T], path: str) -> T | None:
        """Give a record, None if there is none; StoreError if it is damaged."""
        raw = reading.read(path)
        try:
            return None if raw is None else records.decode(kind, raw, path)
        except records.Unreadable as error:
            raise StoreError(f"{clean(str(error))}; restore it from a backup, or move it away") from None

    def _load_or_none(self, kind: type[T], path: str) -> T | None:
        """Give a record, None if there is none or it is damaged; of what is no file at all `damage` tells."""
        try:
            raw = reading.read(path)
            return None if raw is None else records.decode(kind, raw, path)
        except (records.Unreadable, OddFile):
            return None

    def _save(self, path: str, record: object, *, durable: bool = True) -> None:
        """Write a record, unless the same bytes are there."""
        data = records.encode(record, self._ground.version)
        if reading.read(path) != data:
            self._scratch.write(path, data, durable=durable)

    def _secret(self, path: str) -> Secret | None:
        """Read key material; where others had rights to it they lose them."""
        found = reading.read_with_mode(path)
        if found is None:
            return None
        if found[1] & _OTHERS and self.writable:
            atomic.tighten(path)
        return Secret(found[0])
