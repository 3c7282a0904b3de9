"""`index.sqlite`: a cache of inputs. Deleting it changes no plan, only the time; another version's is as none."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Final

from reconciler.errors import StoreError
from reconciler.model.ports_store import Rewrite
from reconciler.store import database, reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS writer (id INTEGER PRIMARY KEY CHECK (id = 1), version TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS rows (
        namespace TEXT NOT NULL, key TEXT NOT NULL, signature TEXT NOT NULL, payload TEXT NOT NULL,
        PRIMARY KEY (namespace, key)
    )""",
    # what asks for signatures alone reads no payload, which is forty times as long
    "CREATE INDEX IF NOT EXISTS signatures ON rows (namespace, key, signature)",
)
# every question carries the version, so that an old process beside a new one reads nothing of it
_OURS: Final = "(SELECT version FROM writer) = ?"
_SIGNATURES: Final = f"SELECT key, signature FROM rows WHERE namespace = ? AND {_OURS}"  # noqa: S608  constants
_ROWS: Final = f"SELECT key, signature, payload FROM rows WHERE namespace = ? AND {_OURS}"  # noqa: S608  constants
_FEW: Final = 500


class Index:
    """The protocol `Cache` over one file: empty where it cannot be read, as it is where it cannot be written."""

    def __init__(self, path: str, version: str, *, writable: bool) -> None:
        """Open nothing yet; `version` is the program's."""
        self._path, self._version, self._writable = path, version, writable
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._turn = threading.Lock()

    def signatures(self, namespace: str) -> Mapping[str, str]:
        """Give every key's signature."""
        return {str(key): str(signature) for key, signature in self._ask(_SIGNATURES, (namespace, self._version))}

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        """Give signature and payload by key; of all keys if None."""
        if keys is not None and len(keys) <= _FEW:
            marks = ", ".join("?" * len(keys))
            found = self._ask(f"{_ROWS} AND key IN ({marks})", (namespace, self._version, *keys))
        else:
            found = self._ask(_ROWS, (namespace, self._version))
        wanted = None if keys is None else frozenset(keys)
        return {str(key): (str(mark), str(text)) for key, mark, text in found if wanted is None or key in wanted}

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> bool:
        """Write rows and drop others in one transaction; False where the cache cannot be written."""
        return self._try({namespace: Rewrite(rows, drop)}, None) if rows or drop else True

    def put_all(self, writes: Mapping[str, Rewrite], row: tuple[str, str], seen: str | None) -> bool:
        """Write several namespaces in one transaction if the `row` is as it was `seen`; tell whether it was done."""
        return self._try(writes, (*row, seen))

    def close(self) -> None:
        """Give the file up."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, query: str, values: tuple[str, ...]) -> Iterable[tuple[object, ...]]:
        try:
            return self._answer(query, values)
        except sqlite3.Error as error:
            if self._writable:
                with self._turn:
                    self._give_up(error)
            return ()

    def _answer(self, query: str, values: tuple[str, ...]) -> Iterable[tuple[object, ...]]:
        """Ask by the writer's connection where there is one: to open another costs more than most answers."""
        with self._turn:
            if self._connection is not None and database.stands(self._path, self._opened):
                return self._connection.execute(query, values).fetchall()
        return database.ask(self._path, query, values)

    def _try(self, writes: Mapping[str, Rewrite], still: tuple[str, str, str | None] | None) -> bool:
        if not self._writable:
            return False
        with self._turn:
            try:
                return self._write(writes, still)
            except sqlite3.Error as error:
                self._give_up(error)
            except StoreError:
                pass  # made impossible by the same thing that will be told of a real write
        return False

    def _write(self, writes: Mapping[str, Rewrite], still: tuple[str, str, str | None] | None) -> bool:
        if self._connection is not None and not database.stands(self._path, self._opened):
            self._close()
        connection = self._connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            # a newer program may have taken the file over since we opened it
            ours = connection.execute("SELECT version FROM writer").fetchall() == [(self._version,)]
            ours = ours and (still is None or _signature(connection, *still[:2]) == still[2])
            for namespace, change in writes.items() if ours else ():
                _rewrite(connection, namespace, change)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return ours

    def _open(self) -> sqlite3.Connection:
        try:
            connection = database.writer(self._path, _SCHEMA)
        except sqlite3.Error as error:
            if not database.is_damaged(error):
                raise
            database.discard(self._path)
            connection = database.writer(self._path, _SCHEMA)
        self._opened = reading.identity(self._path)
        self._claim(connection)
        return connection

    def _claim(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT version FROM writer").fetchall() != [(self._version,)]:
            connection.execute("DELETE FROM rows")
            connection.execute("INSERT OR REPLACE INTO writer VALUES (1, ?)", (self._version,))
        connection.execute("COMMIT")

    def _give_up(self, error: sqlite3.Error) -> None:
        self._close()
        if database.is_damaged(error):
            database.discard(self._path)


def _signature(connection: sqlite3.Connection, namespace: str, key: str) -> object:
    row = connection.execute("SELECT signature FROM rows WHERE namespace = ? AND key = ?", (namespace, key)).fetchone()
    return row[0] if row else None


def _rewrite(connection: sqlite3.Connection, namespace: str, change: Rewrite) -> None:
    if change.whole:
        connection.execute("DELETE FROM rows WHERE namespace = ?", (namespace,))
    gone = ((namespace, key) for key in change.drop)
    connection.executemany("DELETE FROM rows WHERE namespace = ? AND key = ?", gone)
    values = ((namespace, key, signature, payload) for key, (signature, payload) in change.rows.items())
    connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", values)
