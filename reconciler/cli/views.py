"""What was seen last, for `get`, `status` and `wait`: JSON items out of the store's cache, and nothing recomputed.

Imports nothing of the nouns, so that reading starts in a blink. Every question goes by sqlite without writing a byte
beside it; what cannot be read is as if it were not there, and the caller takes the slow way.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler import __version__
from reconciler.report.cells import at, listed
from reconciler.report.times import parsed, rfc3339

Item = dict[str, Any]
_VIEW: Final = "SELECT key, payload FROM rows WHERE namespace = 'view' AND (SELECT version FROM writer) = ?"
_HOLDS: Final = "SELECT payload FROM rows WHERE namespace = 'view/holds' AND (SELECT version FROM writer) = ?"
_DECLARED: Final = "SELECT payload FROM rows WHERE namespace = 'view/declared' AND (SELECT version FROM writer) = ?"
# a filter to save time alone: what it lets through is judged by what it says
_NOT_READY: Final = " AND signature <> 'ready'"
_EVENTS: Final = "SELECT site, reason, message, first, last, count FROM events ORDER BY last, id"
_PATIENCE: Final = 10.0
_SOURCE_LIMIT: Final = 64 * 1024
_ESCAPES: Final = str.maketrans({"%": "%25", "?": "%3f", "#": "%23"})
_BY_DATE: Final = ("Issued", "Ready")
_CLOCK_SLACK: Final = timedelta(minutes=5)


def sites(state: str, now: datetime) -> list[Item]:
    """Give every site's item, by name; a certificate that has expired, or begins later, is told as such.

    Empty where there is no usable cache.
    """
    return sorted(
        (corrected(item, now) for item in _items(state, _VIEW)), key=lambda item: str(at(item, "metadata", "name"))
    )


def wide(state: str) -> list[Item]:
    """Give the holds that no declared site bears: of the whole tree, of what sites share, of sites that are gone."""
    found = []
    for row in _ask(f"{state}/index.sqlite", _HOLDS, (__version__,)):
        with suppress(ValueError, RecursionError):
            found += [_hold(one) for one in listed(json.loads(row[0])) if isinstance(one, dict)]
    return found


def _hold(one: Item) -> Item:
    until = parsed(one.get("until"))
    words = {name: one.get(name) for name in ("site", "target", "reason", "message")}
    count = {"count": one["count"]} if isinstance(one.get("count"), int) else {}
    return {
        **words,
        "until": rfc3339(until),
        "endsWhen": one.get("ends_when"),
        "failed": one.get("failed") is True,
        **count,
    }


def unseen(state: str, items: list[Item]) -> int:
    """Count the declared sites that no pass has looked at; `items` are those of all sites that one has."""
    seen = {at(item, "metadata", "name") for item in items}
    for row in _ask(f"{state}/index.sqlite", _DECLARED, (__version__,)):
        with suppress(ValueError, RecursionError):
            return len(frozenset(map(str, listed(json.loads(row[0])))) - seen)
    return 0


def not_ready(state: str) -> list[Item]:
    """Give the items of the sites that are not Ready."""
    return _items(state, _VIEW + _NOT_READY)


def _items(state: str, query: str) -> list[Item]:
    found = []
    for row in _ask(f"{state}/index.sqlite", query, (__version__,)):
        with suppress(ValueError, RecursionError):
            item = json.loads(row[1])
            if isinstance(item, dict):
                found.append(item)
    return found


def events(state: str) -> list[Item]:
    """Give the events of all sites, oldest first."""
    return [
        {"site": site, "reason": reason, "message": message, "first": _time(first), "at": _time(last), "count": count}
        for site, reason, message, first, last, count in _ask(f"{state}/ledger.sqlite", _EVENTS)
    ]


def _time(seconds: float) -> str | None:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def source(state: str) -> str | None:
    """Give the manifest tree that the state follows, None if it follows none yet."""
    with suppress(OSError, ValueError, RecursionError):
        descriptor = os.open(f"{state}/source", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            tree = at(json.loads(os.read(descriptor, _SOURCE_LIMIT)), "data", "tree")
            return tree if isinstance(tree, str) else None
        finally:
            os.close(descriptor)
    return None


def stamp(state: str) -> tuple[tuple[int, int], ...]:
    """Give what changes when one of the databases was written."""
    found = []
    for name in ("index.sqlite", "index.sqlite-wal", "ledger.sqlite", "ledger.sqlite-wal"):
        try:
            facts = os.stat(f"{state}/{name}")  # noqa: PTH116  pathlib costs a reader its start
            found.append((facts.st_mtime_ns, facts.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def corrected(item: Item, now: datetime) -> Item:
    """Say of a certificate that has expired since the item was made, or by a clock set back begins later, that it has.

    The words are those of `report.conditions`.
    """
    begin, end = (parsed(at(item, "status", "certificate", name)) for name in ("notBefore", "notAfter"))
    if end is not None and end <= now:
        return _not_ready(item, "Expired", f"the certificate expired at {rfc3339(end)}", end)
    if begin is not None and begin > now + _CLOCK_SLACK:
        words = f"the certificate begins at {rfc3339(begin)}, after this machine's time"
        return _not_ready(item, "NotYetValid", words, now)
    return item


def _not_ready(item: Item, reason: str, message: str, since: datetime) -> Item:
    told = {"status": "False", "reason": reason, "message": message}
    for one in listed(at(item, "status", "conditions")):
        if isinstance(one, dict) and one.get("type") in _BY_DATE and one.get("status") == "True":
            one.update(told, lastTransitionTime=rfc3339(since))
    return item


def holds(items: list[Item]) -> list[Item]:
    """Give the holds of these sites."""
    return [
        {"site": at(item, "metadata", "name"), "target": None, **hold}
        for item in items
        for hold in listed(at(item, "status", "holds"))
        if isinstance(hold, dict)
    ]


def _ask(path: str, query: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    # `mode=ro` makes files beside a database, or fails where it may not; `immutable=1` is blind to a WAL
    modes = ("mode=ro", "immutable=1") if os.path.lexists(f"{path}-wal") else ("immutable=1", "mode=ro")
    if not os.path.isfile(path):  # noqa: PTH113  pathlib costs a reader its start
        return []  # sqlite would wait at a pipe until somebody writes into it
    if not os.path.lexists(f"{os.path.dirname(path)}/VERSION"):  # noqa: PTH120  the same
        return []  # no state directory, as who opens the store will say
    for mode in modes:
        with suppress(sqlite3.Error):
            uri = f"file:{os.path.abspath(path).translate(_ESCAPES)}?{mode}"  # noqa: PTH100  the same
            with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as connection:
                return connection.execute(query, values).fetchall()
    return []
