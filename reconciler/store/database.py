"""How sqlite files are opened: by writers in WAL mode, by readers without writing so much as a `-shm` file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from reconciler.store import atomic, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE: Final = 10.0


def writer(path: str, schema: Sequence[str]) -> sqlite3.Connection:
    """Open for writing, made if missing; every thread may use it, one at a time. Raises sqlite3.Error."""
    _must_be_plain(path)
    if not reading.exists(path):
        _without_companions(path)
    atomic.create_empty(path)
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for statement in schema:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def stands(path: str, opened: tuple[int, int] | None) -> bool:
    """Tell whether what was `opened` still is what stands there: another process may delete or move a database."""
    return reading.identity(path) == opened


def ask(path: str, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
    """Ask once without writing; nothing if there is no such database or table yet. Raises sqlite3.Error.

    A plain `mode=ro` makes `-wal` and `-shm` files, or fails where it may not. `immutable=1` does not, but is blind to
    a WAL: so it is taken where there is none, and where `mode=ro` fails.
    """
    if not reading.exists(path):
        return []
    _must_be_plain(path)
    modes = ("mode=ro", "immutable=1") if reading.exists(f"{path}-wal") else ("immutable=1", "mode=ro")
    trouble: sqlite3.Error | None = None
    for mode in modes:
        try:
            with closing(sqlite3.connect(f"file:{quote(path)}?{mode}", uri=True, timeout=_PATIENCE)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return []
            trouble = trouble or error
    raise trouble or sqlite3.OperationalError("cannot be opened")


def _must_be_plain(path: str) -> None:
    """Raise sqlite3.OperationalError for what is no file: sqlite would wait at a pipe until somebody writes into it."""
    if not reading.is_plain(path):
        raise sqlite3.OperationalError("it is not a plain file")


def is_damaged(error: sqlite3.Error) -> bool:
    """Tell whether the file is no (whole) database, rather than busy, full or out of reach."""
    return not isinstance(error, sqlite3.OperationalError) or "malformed" in str(error)


def discard(path: str, keep: str | None = None) -> None:
    """Delete a database with its companions, or move its main file to `keep`."""
    _without_companions(path)
    if keep is None:
        atomic.remove(path, durable=False)
    else:
        atomic.move(path, keep)


def _without_companions(path: str) -> None:
    for name in (f"{path}-wal", f"{path}-shm"):
        atomic.remove(name, durable=False)
