"""`ledger.sqlite`: events, bounded, and the feed by which one process sees what others wrote."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.errors import StoreError
from reconciler.model.text import clean
from reconciler.store import database, reading
from reconciler.store.trouble import told_database

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS_A_SITE: Final = 50
EVENTS_KEPT: Final = timedelta(days=90)
_SCHEMA: Final = (
    # one row a site, moved to the end by each write, so it stays small; AUTOINCREMENT never gives a number twice
    "CREATE TABLE IF NOT EXISTS feed (seq INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL UNIQUE)",
    """CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY, site TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL,
        first REAL NOT NULL, last REAL NOT NULL, count INTEGER NOT NULL DEFAULT 1
    )""",
    "CREATE INDEX IF NOT EXISTS events_by_site ON events (site, id)",
    "CREATE INDEX IF NOT EXISTS events_by_time ON events (last)",
)
_FEED: Final = "INSERT OR REPLACE INTO feed (site) VALUES (?)"
_LAST: Final = "SELECT id, reason, message FROM events WHERE site = ? ORDER BY id DESC LIMIT 1"
_SURPLUS: Final = """DELETE FROM events WHERE site = ? AND id <=
    (SELECT id FROM events WHERE site = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a site, `count` times in a row between `first` and `last`."""

    site: str
    reason: str
    message: str
    first: datetime
    last: datetime
    count: int


class Ledger:
    """One connection for all threads of a writer, made on first use; a reader asks by itself."""

    def __init__(self, path: str) -> None:
        """Open nothing yet."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._turn = threading.Lock()
        self._gathered: dict[str, int] = {}

    def touched(self, site: str) -> None:
        """Tell every process that something about a site was written; within `gathering` the first time only."""
        with self._turn:
            before = self._gathered.get(site)
            if before is not None:
                self._gathered[site] = before + 1
            if not before:
                self._tell(site)

    @contextmanager
    def gathering(self, site: str) -> Iterator[None]:
        """Tell of all that is written about a site within the block at its first write and at its end.

        Who hears of the first one meets the site's lock, and looks again once it is free.
        """
        with self._turn:
            self._gathered[site] = 0
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self._gathered_up(site)
            raise
        self._gathered_up(site)

    def changes(self, after: int) -> tuple[frozenset[str] | None, int]:
        """Give the sites written after a cursor, and the new cursor.

        None for the sites: the cursor is from another ledger, so look at all.
        """
        rows = self._ask("SELECT site, seq FROM feed WHERE seq > ? OR seq = (SELECT max(seq) FROM feed)", (after,))
        newest = max((int(str(seq)) for _, seq in rows), default=0)
        if newest < after:
            return None, newest
        return frozenset(str(site) for site, seq in rows if int(str(seq)) > after), newest

    def event(self, site: str, reason: str, message: str, at: datetime) -> None:
        """Record an event; the same one again in a row is counted. 50 a site and 90 days are kept.

        Within `gathering` it tells by the way of what was written before it.
        """
        with self._told_by_the_way(site), self._transaction() as connection:
            if self._gathered.get(site, 0) > 1:
                connection.execute(_FEED, (site,))
                self._gathered[site] = 1
            _add(connection, site, reason, clean(message), at.timestamp())

    @contextmanager
    def _told_by_the_way(self, site: str) -> Iterator[None]:
        """Count as told what a block tells of a site, unless its transaction comes to nothing."""
        before = self._gathered.get(site, 0)
        try:
            yield
        except BaseException:
            if site in self._gathered:
                self._gathered[site] = max(self._gathered[site], before)
            raise

    def events(self, site: str | None = None) -> tuple[Event, ...]:
        """Give the events of one site or of all, oldest first."""
        where, values = ("", ()) if site is None else ("WHERE site = ?", (site,))
        query = f"SELECT site, reason, message, first, last, count FROM events {where} ORDER BY last, id"  # noqa: S608  a constant
        return tuple(_event(row) for row in self._ask(query, values))

    def _gathered_up(self, site: str) -> None:
        with self._turn:
            if self._gathered.pop(site, 0) > 1:
                self._tell(site)

    def _tell(self, site: str) -> None:
        with told_database(self._path):
            self._connected().execute(_FEED, (site,))

    def close(self) -> None:
        """Give the file up."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and not database.stands(self._path, self._opened):
            self._close()
        if self._connection is None:
            self._connection = self._open()
            self._opened = reading.identity(self._path)
        return self._connection

    def _ask(self, query: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        with told_database(self._path):
            try:
                return database.ask(self._path, query, values)
            except sqlite3.Error as error:
                # a damaged ledger holds nothing that a decision rests on; the next write starts a new one
                if database.is_damaged(error):
                    return []
                raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, told_database(self._path):
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # a full disk has ended the transaction by itself
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        try:
            return database.writer(self._path, _SCHEMA)
        except sqlite3.Error as error:
            if not database.is_damaged(error):
                raise
            database.discard(self._path, keep=f"{self._path}.broken")
            return database.writer(self._path, _SCHEMA)


def _add(connection: sqlite3.Connection, site: str, reason: str, message: str, when: float) -> None:
    last = connection.execute(_LAST, (site,)).fetchone()
    if last is not None and last[1:] == (reason, message):
        connection.execute("UPDATE events SET count = count + 1, last = ? WHERE id = ?", (when, last[0]))
        return
    connection.execute(
        "INSERT INTO events (site, reason, message, first, last) VALUES (?, ?, ?, ?, ?)",
        (site, reason, message, when, when),
    )
    connection.execute(_SURPLUS, (site, site, EVENTS_A_SITE))
    connection.execute("DELETE FROM events WHERE last < ?", (when - EVENTS_KEPT.total_seconds(),))


def _event(row: tuple[object, ...]) -> Event:
    site, reason, message, first, last, count = (str(field) for field in row)
    return Event(site, reason, message, _time(first), _time(last), int(count))


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
