"""Which sites need no look: a memo of inputs by stat signature. A pass over ten thousand quiet sites costs stats alone.

A row says: at the end of a pass that found nothing to do, the site's meaning had this digest and its files these
signatures. It holds no decision. Delete it, and the same plan comes out, only later. A row is of its time, and no word
for a clock that was set back behind it: by that one the certificate may not have begun. The signatures are of `lstat`:
nothing is opened, and who swaps a directory on the way only makes a site be looked at with all care.

The store changes some of its directories by renames alone. As long as such a directory itself is as it was when all
rows were true, the files right in it are not looked at; after an hour they are, whatever the directory says.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reconciler.doors import halves

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.model.ports import Cache

NAMESPACE: Final = "quiet"
PLACES: Final = "quiet/places"
_SLACK: Final = 20_000_000  # nanoseconds; the kernel stamps files by a clock that lags by up to one tick
_TRUST: Final = 3_600_000_000_000  # nanoseconds for which an unchanged directory answers for its files
_BACK: Final = 300.0  # seconds; before a row was made nothing of it holds, save that clocks are set right a little
_HEAD: Final = 5


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

    def __init__(self, cache: Cache, renamed: Callable[[], Collection[str]] = tuple) -> None:
        """Take the cache that keeps the rows; `renamed` gives the directories that are changed by renames alone."""
        self._cache, self._renamed = cache, renamed
        self._began = time.time_ns()
        self._since = 0.0
        self._rows: Mapping[str, tuple[str, str]] = {}
        self._loud: frozenset[str] = frozenset()

    def loud(self, digests: Mapping[str, str], now: datetime, *, whole: bool = True) -> frozenset[str]:
        """Give the sites (name to digest of their meaning) that must be looked at: changed, due, or never settled.

        `whole`: these are all that are declared; of others nothing is read.
        """
        self._began, self._since = time.time_ns(), now.timestamp()
        rows = self._rows = self._cache.rows(NAMESPACE, None if whole else list(digests))
        places = self._places()
        still = self._still(places)
        look = _Look(now.timestamp(), _Common(), skip=still)
        names = list(digests)
        quiet = halves.judged(
            names, lambda some: bytes([look.is_quiet(rows.get(name), digests[name]) for name in some])
        )
        self._loud = frozenset(name for name, calm in zip(names, quiet, strict=True) if not calm)
        if whole and not still and rows.keys() <= digests.keys() - self._loud:
            self._trust(places)
        return self._loud

    def settle(self, calm: Mapping[str, Calm], declared: Collection[str]) -> None:
        """Remember sites that nothing was to do for; forget those that are no longer `declared`, or no longer calm.

        A file that changed while the pass looked keeps its site loud: it may have changed after the look.
        """
        rows: dict[str, tuple[str, str]] = {}
        common, renamed = _Common(), frozenset(self._renamed())
        for name, site in calm.items():
            flat = tuple(path for path in site.paths if path.rpartition("/")[0] in renamed)
            own = tuple(path for path in site.paths if path not in flat)
            stamps, resting = [*_stamps(own), *common.stamps(site.shared)], _stamps(flat)
            if max((*stamps[::2], *resting[::2]), default=0) < self._began - _SLACK:
                rows[name] = _signature(site.digest, stamps), self._payload(site, _signature("", resting), own, flat)
        gone = {name for name in self._rows if name not in declared}
        restless = {name for name in (*calm, *self._loud) if name not in rows and (name in self._rows or name in calm)}
        self._cache.put(NAMESPACE, rows, drop=[*gone, *(restless - gone)])

    def _payload(self, site: Calm, resting: str, own: Sequence[str], flat: Sequence[str]) -> str:
        """Join with the one character that no path holds: this is taken apart for every site in every pass."""
        due = "" if site.due is None else repr(site.due.timestamp())
        head = (due, repr(self._since), resting, str(len(own)), str(len(flat)))
        return "\0".join((*head, *own, *flat, *site.shared))

    def _places(self) -> dict[str, list[int]]:
        return {place: _stamps((place,)) for place in sorted(self._renamed())}

    def _still(self, places: Mapping[str, list[int]]) -> bool:
        """Tell whether every such directory is as it was when all rows were true."""
        kept = self._cache.rows(PLACES, None).get("") if places else None
        if kept is None or kept[0] != _names(places):
            return False
        try:
            return 0 <= self._began - int(kept[1]) < _TRUST
        except ValueError:
            return False

    def _trust(self, places: Mapping[str, list[int]]) -> None:
        """Note the directories, if nothing happened in them since the first of their files was looked at."""
        latest = max((stamps[0] for stamps in places.values()), default=self._began)
        if latest < self._began - _SLACK and self._places() == places:
            self._cache.put(PLACES, {"": (_names(places), str(self._began))})


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


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at rows; `skip` leaves out the files that their directories answer for."""

    moment: float
    common: _Common
    skip: bool

    def is_quiet(self, row: tuple[str, str] | None, digest: str) -> bool:
        if row is None:
            return False
        try:
            due, since, resting, own, flat, *paths = row[1].split("\0")
            if (due and self.moment >= float(due)) or self.moment < float(since) - _BACK:
                return False
            first, last = int(own), int(own) + int(flat)
            if not self.skip and last > first and _signature("", _stamps(paths[first:last])) != resting:
                return False
            stamps = _stamps(paths[:first])
            if len(paths) > last:
                stamps += self.common.stamps(paths[last:])
            return _signature(digest, stamps) == row[0]
        except (ValueError, struct.error):
            return False  # a damaged cache is an empty one


def calm_until(cache: Cache) -> tuple[Mapping[str, datetime], frozenset[str]]:
    """Give when each quiet site is due, and the directories of all files that quiet sites rest on: for the loop."""
    due: dict[str, datetime] = {}
    places: set[str] = set()
    for name, (_, payload) in cache.rows(NAMESPACE, None).items():
        fields = payload.split("\0")
        places.update([path.rpartition("/")[0] for path in fields[_HEAD:] if path])
        try:
            if fields[0]:
                due[name] = datetime.fromtimestamp(float(fields[0]), UTC)
        except (ValueError, OverflowError, OSError):
            continue  # a damaged cache is an empty one
    return due, frozenset(places)


def forget(cache: Cache, names: Collection[str]) -> None:
    """Make sites loud, whatever their files say."""
    cache.put(NAMESPACE, {}, drop=names)


def _signature(digest: str, stamps: Sequence[int]) -> str:
    packed = struct.pack(f"{len(stamps)}Q", *stamps)
    return hashlib.blake2b(packed, digest_size=12, key=digest.encode()[:64]).hexdigest()


def _names(places: Mapping[str, list[int]]) -> str:
    text = "\0".join(f"{place}\0{stamps}" for place, stamps in places.items())
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=12).hexdigest()


def _stamps(paths: Sequence[str]) -> list[int]:
    """Give change time (nanoseconds since 1970) and inode of each path, 0 and 0 where nothing is.

    The change time alone sees content, owner, mode and renames; with the inode also a clock that was set back.
    """
    stamps: list[int] = []
    add, lstat = stamps.append, os.lstat
    for path in paths:
        try:
            facts = lstat(path)
        except OSError:
            stamps += (0, 0)
        else:
            add(facts.st_ctime_ns)
            add(facts.st_ino)
    return stamps
