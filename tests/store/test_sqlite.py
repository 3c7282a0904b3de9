"""The ledger and the index: bounded, and worth nothing that could not be lost."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StoreError
from reconciler.model.ports import Rewrite
from reconciler.store import ledger
from reconciler.store.index import Index
from reconciler.store.ledger import EVENTS_A_SITE
from tests.store.material import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.store.files import FileStore


def index(path: Path, version: str = "0.1.0", *, writable: bool = True) -> Index:
    return Index(str(path / "index.sqlite"), version, writable=writable)


def test_events_are_counted_and_bounded(store: FileStore) -> None:
    for number in range(EVENTS_A_SITE + 20):
        store.event("a", "Issued", f"certificate {number}", NOW + timedelta(minutes=number))
        store.event("a", "Issued", f"certificate {number}", NOW + timedelta(minutes=number, seconds=1))
    store.event("b", "Issued", "certificate\x1b[2J", NOW)
    events = store.events("a")
    assert len(events) == EVENTS_A_SITE
    assert {event.count for event in events} == {2}
    assert events[-1].last - events[-1].first == timedelta(seconds=1)
    assert events[-1].message == f"certificate {EVENTS_A_SITE + 19}"
    assert [event.message for event in store.events("b")] == ["certificate\\x1b[2J"]
    store.event("c", "Issued", "later", NOW + timedelta(days=95))
    assert [event.site for event in store.events()] == ["c"]


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_ledger_is_moved_aside(store: FileStore, root: Path, damage: bytes) -> None:
    (root / "ledger.sqlite").write_bytes(damage)
    assert store.events() == ()
    assert store.changes(0)[1] == 0
    store.event("a", "Issued", "x", NOW)
    assert len(store.events()) == 1
    assert (root / "ledger.sqlite.broken").exists() is bool(damage)


def test_a_pipe_in_a_databases_place_is_not_waited_for(store: FileStore, root: Path, tmp_path: Path) -> None:
    (root / "ledger.sqlite").unlink(missing_ok=True)
    os.mkfifo(root / "ledger.sqlite")
    with pytest.raises(StoreError, match="not a plain file; stop certwright, move the file away"):
        store.event("a", "Issued", "certificate", NOW)
    with pytest.raises(StoreError, match="not a plain file"):
        store.changes(0)
    os.mkfifo(tmp_path / "index.sqlite")
    cache = index(tmp_path)
    cache.put("view", {"a": ("", "{}")})
    assert cache.rows("view") == {}


def test_the_cache_gives_back_what_was_put(tmp_path: Path) -> None:
    cache = index(tmp_path)
    assert cache.signatures("n") == {}
    cache.put("n", {"a": ("1", "x"), "b": ("2", "y")})
    cache.put("m", {"a": ("3", "z")})
    assert cache.signatures("n") == {"a": "1", "b": "2"}
    assert cache.rows("n") == {"a": ("1", "x"), "b": ("2", "y")}
    assert cache.rows("n", ["b", "c"]) == {"b": ("2", "y")}
    assert cache.rows("n", []) == {}
    assert cache.rows("n", [*map(str, range(2000)), "a"]) == {"a": ("1", "x")}
    cache.put("n", {"a": ("4", "w")}, drop=["b"])
    assert cache.rows("n") == {"a": ("4", "w")}
    assert cache.rows("m") == {"a": ("3", "z")}
    assert (tmp_path / "index.sqlite").stat().st_mode & 0o777 == 0o600
    cache.close()


def test_several_namespaces_are_written_at_once_over_what_was_seen(tmp_path: Path) -> None:
    cache, other = index(tmp_path), index(tmp_path)
    row = ("m", "")
    assert cache.put_all({"m": Rewrite({"": ("1", "")}), "n": Rewrite({"a": ("s", "x"), "b": ("s", "y")})}, row, None)
    assert not other.put_all({"n": Rewrite({"c": ("s", "z")})}, row, None)
    assert not other.put_all({"n": Rewrite({"c": ("s", "z")})}, row, "2")
    assert cache.signatures("n") == {"a": "s", "b": "s"}
    assert other.put_all({"m": Rewrite({"": ("2", "")}), "n": Rewrite({"c": ("t", "z")}, ["a"])}, row, "1")
    assert cache.signatures("n") == {"b": "s", "c": "t"}
    assert not cache.put_all({"n": Rewrite(whole=True)}, row, "1")
    assert cache.put_all({"n": Rewrite({"d": ("u", "")}, whole=True)}, row, "2")
    assert cache.signatures("n") == {"d": "u"}
    reader = index(tmp_path, writable=False)
    assert not reader.put_all({"n": Rewrite(whole=True)}, row, "2")
    for one in (cache, other):
        one.close()


def test_of_several_namespaces_all_are_written_or_none(tmp_path: Path) -> None:
    cache = index(tmp_path)
    assert cache.put_all({"m": Rewrite({"": ("1", "")})}, ("m", ""), None)
    assert cache._connection is not None
    cache._connection.execute("PRAGMA max_page_count = 4")
    large = {str(number): ("s", "p" * 500) for number in range(200)}
    assert not cache.put_all({"m": Rewrite({"": ("2", "")}), "n": Rewrite(large)}, ("m", ""), "1")
    assert (cache.signatures("m"), cache.signatures("n")) == ({"": "1"}, {})
    assert cache.put_all({"m": Rewrite({"": ("2", "")}), "n": Rewrite(large)}, ("m", ""), "1")
    assert len(cache.signatures("n")) == 200
    cache.close()


def test_another_versions_cache_is_empty_and_taken_over(tmp_path: Path) -> None:
    old, new = index(tmp_path), index(tmp_path, "0.2.0")
    old.put("n", {"a": ("1", "x")})
    assert index(tmp_path, "0.2.0", writable=False).rows("n") == {}
    new.put("n", {"b": ("2", "y")})
    old.put("n", {"c": ("3", "z")})
    assert not old.put_all({"n": Rewrite({"c": ("3", "z")})}, ("n", "c"), None)
    assert old.rows("n") == {}
    assert new.rows("n") == {"b": ("2", "y")}
    old.close()
    new.close()


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_empty_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "index.sqlite").write_bytes(damage)
    reader, cache = index(tmp_path, writable=False), index(tmp_path)
    assert reader.rows("n") == {}
    assert (tmp_path / "index.sqlite").read_bytes() == damage
    assert cache.rows("n") == {}
    cache.put("n", {"a": ("1", "x")})
    assert reader.rows("n") == {"a": ("1", "x")}
    cache.close()


def test_a_cache_with_a_torn_page_heals(tmp_path: Path) -> None:
    cache = index(tmp_path)
    cache.put("n", {str(number): ("s", "p" * 500) for number in range(200)})
    cache.close()
    text = bytearray((tmp_path / "index.sqlite").read_bytes())
    text[8192:] = os.urandom(len(text) - 8192)
    (tmp_path / "index.sqlite").write_bytes(text)
    cache = index(tmp_path)
    cache.rows("n")
    cache.put("n", {"a": ("1", "x")})
    cache.put("n", {"a": ("1", "x")})
    assert cache.rows("n", ["a"]) == {"a": ("1", "x")}
    cache.close()


def test_a_cache_that_cannot_be_made_is_none(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").mkdir()
    cache = index(tmp_path)
    cache.put("n", {"a": ("1", "x")})
    assert cache.rows("n") == {}
    nowhere = Index(str(tmp_path / "no" / "index.sqlite"), "0.1.0", writable=True)
    nowhere.put("n", {"a": ("1", "x")})
    assert nowhere.signatures("n") == {}


def test_a_busy_cache_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.store.database._PATIENCE", 0.05)
    cache = index(tmp_path)
    cache.put("n", {"a": ("1", "x")})
    other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put("n", {"b": ("2", "y")})
    other.execute("ROLLBACK")
    other.close()
    assert cache.rows("n") == {"a": ("1", "x")}
    cache.close()


@pytest.mark.parametrize("also", [("-wal", "-shm"), ()])
def test_databases_that_are_deleted_under_a_process_are_made_anew(
    store: FileStore, root: Path, also: tuple[str, ...]
) -> None:
    cache = store.cache()
    for number in range(2):
        cache.put("view", {f"s{number}": ("", "{}")})
        store.event(f"s{number}", "Issued", "x", NOW)
        assert list(index(root).rows("view")) == [f"s{number}"]
        assert [event.site for event in store.events()] == [f"s{number}"]
        for path in (root / f"{name}.sqlite{end}" for name in ("index", "ledger") for end in ("", *also)):
            path.unlink()


def test_what_a_failed_event_would_have_told_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = ledger.Ledger(str(tmp_path / "ledger.sqlite"))
    with books.gathering("a"):
        books.touched("a")
        _, cursor = books.changes(0)
        books.touched("a")
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "clean", lambda _text: object())  # what no database takes
            with pytest.raises(StoreError):
                books.event("a", "Issued", "x", NOW)
        assert books.changes(cursor)[0] == frozenset()
    assert books.changes(cursor)[0] == frozenset({"a"})
    books.close()
