"""`status/<site>.json`: what is remembered of a site between passes, changed by compare-and-set."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.errors import OddFile
from reconciler.model.observed import Memory
from reconciler.store import atomic, reading, records
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Memories(Part):
    """Reads and changes the memory of sites. It is no truth: lost, it costs backoff and chosen instants."""

    def memory(self, sites: Iterable[str]) -> Mapping[str, Memory]:
        """Give what is remembered; an empty Memory where there is none, or it is broken or no file at all."""
        return {site: self._known(site) for site in sites}

    def _known(self, site: str) -> Memory:
        try:
            return _memory(self._raw(site), site)[0]
        except OddFile:
            return Memory()  # `damage` tells of it

    def remember(self, site: str, change: Callable[[Memory], Memory]) -> Memory:
        """Change a site's memory by compare-and-set, repeated until it wins; no lease.

        `change` may be called more than once and sets no `version`; if it changes nothing, nothing is written. Raises
        OddFile if what stands in its place is no file of ours.
        """
        self._must_be_writable()
        while True:
            raw = self._raw(site)
            seen, broken = _memory(raw, site)
            wanted = replace(change(seen), version=seen.version)
            if wanted == seen and not broken:
                return seen
            wanted = replace(wanted, version=seen.version + 1)
            if self._swap(site, raw, wanted):
                break
        if broken:
            self.event(site, "StatusUnreadable", "its memory was damaged and starts anew", self._ground.clock.now())
        self._ledger.touched(site)
        return wanted

    def _swap(self, site: str, seen: bytes | None, wanted: Memory) -> bool:
        data = records.encode(wanted, self._ground.version)
        with self._locks.briefly(_shard(site)):
            if self._raw(site) != seen:
                return False
            self._scratch.write(self._layout.status(site), data, durable=False)
            return True

    def _drop_memory(self, site: str) -> None:
        with self._locks.briefly(_shard(site)):
            atomic.remove(self._layout.status(site))

    def _raw(self, site: str) -> bytes | None:
        return reading.read(self._layout.status(site))


def _shard(site: str) -> str:
    # a lock file a site would be ten thousand files; the lock is held for less than a millisecond
    return f"status/{hashlib.sha256(site.encode()).hexdigest()[:2]}"


def _memory(raw: bytes | None, site: str) -> tuple[Memory, bool]:
    if raw is None:
        return Memory(), False
    try:
        return records.decode(Memory, raw, f"status/{site}.json"), False
    except records.Unreadable:
        return Memory(), True
