"""`FileStore`: the protocol `Store` of `model.ports` over files and sqlite. `open_store` is the way in."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from reconciler.errors import HeldBy
from reconciler.store import opening, scratch
from reconciler.store.accounts import Accounts
from reconciler.store.archive import Archive
from reconciler.store.ca import Authorities
from reconciler.store.damage import Damages
from reconciler.store.imports import Imports
from reconciler.store.index import Index
from reconciler.store.inventory import Inventories
from reconciler.store.layout import Layout
from reconciler.store.ledger import Ledger
from reconciler.store.locks import Locks
from reconciler.store.part import Ground
from reconciler.store.source import Sources
from reconciler.store.undo import Undoing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType

    from reconciler.model.ports import Clock, Lease
    from reconciler.store.ledger import Event


class FileStore(Archive, Undoing, Inventories, Accounts, Authorities, Imports, Sources, Damages):
    """All parts over one directory. Safe for all threads of a process and any number of processes."""

    def claim(self, scope: str, verb: str, wait: float) -> AbstractContextManager[Lease]:
        """Take the lease within `wait` seconds or raise HeldBy."""
        self._must_be_writable()
        kind, _, site = scope.partition("/")
        held = self._locks.claim(scope, verb, wait)
        return self._gathered(held, site) if kind == "site" else held

    @contextmanager
    def _gathered(self, held: AbstractContextManager[Lease], site: str) -> Iterator[Lease]:
        with held as lease, self._ledger.gathering(site):
            yield lease

    def holder(self, scope: str) -> tuple[int, str, str] | None:
        """Give pid, verb and since of who holds it now, None if nobody."""
        return self._locks.holder(scope)

    def changes(self, after: int) -> tuple[frozenset[str], int]:
        """Give the sites that any process wrote since a cursor , each at least once, and the next; 0 is the start."""
        found, cursor = self._ledger.changes(after)
        return (self.sites() if found is None else found), cursor

    def events(self, site: str | None = None) -> tuple[Event, ...]:
        """Give the events of one site or of all, oldest first."""
        return self._ledger.events(site)

    def tidy(self, now: datetime) -> None:
        """Delete what has been in the archive for over 30 days and no target has loaded; of a busy site tomorrow."""
        self._must_be_writable()
        expired = sorted(self.expired(now))
        needed = self.loaded() if expired else ()  # a file for each site
        for site in expired:
            with suppress(HeldBy), self.claim(f"site/{site}", "tidy", 0.0) as lease:
                self.sweep(lease, site, now, needed)
        old = self.old_imports(now)
        if old and (abandoned := old - (known := self.sites())):
            self.sweep_imports(abandoned, self.meaning(known).values())

    def cache(self) -> Index:
        """Give the cache of inputs beside the store."""
        return Index(self._layout.fixed("index.sqlite"), self._ground.version, writable=self.writable)

    @property
    def listener_directory(self) -> str:
        """Give the directory of the listeners' lock files."""
        return self._layout.fixed("locks/listener")

    def close(self) -> None:
        """Give back what this process holds; locks are given back by their own blocks."""
        self._ledger.close()
        if self._ground.scratch is not None:
            scratch.release(self._layout.fixed("tmp"), self._ground.scratch)

    def __enter__(self) -> Self:
        """Give itself, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def open_store(root: str, clock: Clock, version: str, *, write: bool) -> FileStore:
    """Open a state directory; `version` is the program's. With `write` it is made on first use, checked and swept.

    Without, nothing is written, not even beside the databases, and a directory that is not there is an empty store.
    Raises StoreError (read-only, full, of another owner, not a state directory), NewerStore.
    """
    layout = Layout(os.path.realpath(root))
    own = None
    if write:
        opening.prepare(layout.root)
        own = scratch.acquire(layout.fixed("tmp"))
        scratch.sweep(layout.fixed("tmp"))
    else:
        opening.check(layout.root)
    return FileStore(Ground(layout, Locks(layout, clock), Ledger(layout.fixed("ledger.sqlite")), clock, version, own))
