"""Which sites need no look: a memo of inputs by stat signature. A pass over ten thousand quiet sites costs stats alone.

A row says: at the end of a pass that found nothing to do, the site's meaning had this digest and its files these
signatures. It holds no decision. Delete it, and the same plan comes out, only later. The signatures are of `lstat`:
nothing is opened, and who swaps a directory on the way only makes a site be looked at with all care.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.model.ports import Cache

NAMESPACE: Final = "quiet"
_SLACK: Final = 20_000_000  # nanoseconds; the kernel stamps files by a clock that lags by up to one tick


@dataclass(frozen=True, slots=True)
class Calm:
    """A site that a pass found nothing to do for.

    `digest` of its meaning, `due` when to look again, the files it rests on: its own, and those it shares with others.
    """

    digest: str
    due: datetime | None
    paths: tuple[str, ...]
    shared: tuple[str, ...] = ()


class Quiet:
    """The memo of one store. Call `loud` at the start of a pass and `settle` at its end."""

    def __init__(self, cache: Cache) -> None:
        """Take the cache that keeps the rows."""
        self._cache = cache
        self._began = time.time_ns()
        self._rows: Mapping[str, tuple[str, str]] = {}

    def loud(self, digests: Mapping[str, str], now: datetime) -> frozenset[str]:
        """Give the sites (name to digest of their meaning) that must be looked at: changed, due, or never settled."""
        self._began = time.time_ns()
        self._rows = self._cache.rows(NAMESPACE, None)
        moment, common = now.timestamp(), _Common()
        rows = self._rows
        return frozenset(
            name for name, digest in digests.items() if not _is_quiet(rows.get(name), digest, moment, common)
        )

    def settle(self, calm: Mapping[str, Calm], declared: Collection[str]) -> None:
        """Remember sites that nothing was to do for; forget those that are no longer `declared`.

        A file that changed while the pass looked keeps its site loud: it may have changed after the look.
        """
        rows: dict[str, tuple[str, str]] = {}
        common = _Common()
        for name, site in calm.items():
            stamps = [*_stamps(site.paths), *common.stamps(site.shared)]
            if max(stamps[::2], default=0) < self._began - _SLACK:
                rows[name] = _signature(site.digest, stamps), _payload(site)
        gone = (name for name in self._rows if name not in declared)
        self._cache.put(NAMESPACE, rows, drop=[*gone, *(name for name in calm if name not in rows)])


class _Common:
    """Stamps of files that many sites share, looked at once a pass."""

    def __init__(self) -> None:
        self._known: dict[str, list[int]] = {}

    def stamps(self, paths: Sequence[str]) -> list[int]:
        found: list[int] = []
        for path in paths:
            if path not in self._known:
                self._known[path] = _stamps((path,))
            found += self._known[path]
        return found


def calm_until(cache: Cache) -> tuple[Mapping[str, datetime], frozenset[str]]:
    """Give when each quiet site is due, and the directories of all files that quiet sites rest on: for the loop."""
    due: dict[str, datetime] = {}
    places: set[str] = set()
    for name, (_, payload) in cache.rows(NAMESPACE, None).items():
        try:
            memo = json.loads(payload)
            if memo["due"] is not None:
                due[name] = datetime.fromtimestamp(float(memo["due"]), UTC)
            places.update(path.rpartition("/")[0] for path in (*memo["paths"], *memo["shared"]))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
            continue  # a damaged cache is an empty one
    return due, frozenset(places)


def forget(cache: Cache, names: Collection[str]) -> None:
    """Make sites loud, whatever their files say."""
    cache.put(NAMESPACE, {}, drop=names)


def _payload(site: Calm) -> str:
    due = None if site.due is None else site.due.timestamp()
    return json.dumps({"due": due, "paths": site.paths, "shared": site.shared}, separators=(",", ":"))


def _is_quiet(row: tuple[str, str] | None, digest: str, moment: float, common: _Common) -> bool:
    if row is None:
        return False
    try:
        memo = json.loads(row[1])
        if memo["due"] is not None and moment >= memo["due"]:
            return False
        return _signature(digest, _stamps(memo["paths"]) + common.stamps(memo["shared"])) == row[0]
    except (ValueError, TypeError, KeyError, struct.error):
        return False  # a damaged cache is an empty one


def _signature(digest: str, stamps: Sequence[int]) -> str:
    packed = struct.pack(f"{len(stamps)}Q", *stamps)
    return hashlib.blake2b(packed, digest_size=12, key=digest.encode()[:64]).hexdigest()


def _stamps(paths: Iterable[str]) -> list[int]:
    """Give change time (nanoseconds since 1970) and inode of each path, 0 and 0 where nothing is.

    The change time alone sees content, owner, mode and renames; with the inode also a clock that was set back.
    """
    stamps: list[int] = []
    add, lstat = stamps.append, os.lstat
    for path in paths:
        try:
            facts = lstat(path)
        except OSError:
            add(0)
            add(0)
        else:
            add(facts.st_ctime_ns)
            add(facts[stat.ST_INO])
    return stamps
