from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.model.desired import ImportSpec
from reconciler.model.observed import Inventory
from reconciler.store.source import Source, machine_id
from tests.store.material import DESIRED, bundle, meta
from tests.store.tree import names

if TYPE_CHECKING:
    import pytest

    from reconciler.store.files import FileStore


def archived(store: FileStore, site: str) -> str:
    with store.claim(f"site/{site}", "test", 0) as lease:
        name = store.put_revision(lease, site, bundle(), meta())
        store.activate(lease, site, name, None)
        store.archive(lease, site)
    return name


def test_the_archive_is_kept_for_thirty_days_and_longer_if_loaded(store: FileStore, root: Path) -> None:
    now = datetime.now(UTC)
    loaded, other = archived(store, "a"), archived(store, "b")
    with store.claim("target/web", "test", 0) as lease:
        store.put_inventory(lease, "web", {"a": Inventory("a", loaded=loaded)})
    store.tidy(now + timedelta(days=29))
    assert (root / "archive/b" / other / "privkey.pem").exists()
    store.tidy(now + timedelta(days=31))
    assert names(root / "archive") == ["a"]
    assert names(root / "archive/a") == [loaded]
    with store.claim("site/a", "test", 0) as lease:
        store.tidy(now + timedelta(days=31))  # somebody is working on it: tomorrow is as well
        assert store.sweep(lease, "a", now + timedelta(days=31), ()) == 1
    assert names(root / "archive") == []


def test_a_former_name_that_is_used_again_keeps_its_pointer(store: FileStore, root: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=31)
    with store.claim("site/a", "test", 0) as lease:
        store.archive(lease, "a", "b")
        name = store.put_revision(lease, "a", bundle(), meta())
        store.tidy(later)
        assert (root / "live/a").is_symlink()
        store.activate(lease, "a", name, None)
    store.tidy(later)
    assert store.live_name("a") == name


def test_the_pointer_is_gone_before_the_revision(store: FileStore, root: Path) -> None:
    archived(store, "a")
    assert names(root / "live") == []
    assert names(root / "certificates") == []


def test_paths_of_a_site_exist_once_it_is_live_and_change_with_it(store: FileStore) -> None:
    def signature() -> list[tuple[str, int, int] | None]:
        found = ((path, os.lstat(path)) if os.path.lexists(path) else None for path in store.paths_of("a"))
        return [entry and (entry[0], entry[1].st_ino, entry[1].st_ctime_ns) for entry in found]

    before = signature()
    with store.claim("site/a", "test", 0) as lease:
        one, other = (store.put_revision(lease, "a", bundle(), meta()) for _ in range(2))
        store.activate(lease, "a", one, None)
        assert (live := signature()) != before
        assert signature() == live
        store.activate(lease, "a", other, one)
        assert signature() != live
    assert all(path.startswith("/") for path in store.paths_of("a"))


def test_a_token_is_served_while_it_is_published_and_nothing_else_is(store: FileStore) -> None:
    store.put_token("-tok_1", "-tok_1.thumb")
    assert store.token("-tok_1") == b"-tok_1.thumb"
    assert store.tokens() == {"-tok_1"}
    for text in ("other", "", ".", "..", "../VERSION", "-tok_1/", "-tok_1\n", "x" * 300, "\0", "\uff41", "\ud800"):
        assert store.token(text) is None
    store.drop_token("-tok_1")
    store.drop_token("-tok_1")
    assert store.token("-tok_1") is None
    assert store.tokens() == frozenset()


def test_the_store_remembers_which_tree_it_follows_and_where(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "id"
    monkeypatch.setattr("reconciler.store.source.MACHINE_ID", str(path))
    store.accept_machine()
    assert store.source() is None, "a state that follows no tree has no machine"
    for raw in (None, b"", b"uninitialized\n", b"A" * 32, b"a" * 33, b"\xff" * 32, b"a" * 31 + b"\n"):
        if raw is not None:
            path.write_bytes(raw)
        assert machine_id() == ""
    store.follow("/etc/certwright/manifests")
    assert store.source() == Source("/etc/certwright/manifests", "")
    path.write_text("0123456789abcdef" * 2 + "\n")
    first = machine_id()
    assert len(first) == 32
    assert "0123456789abcdef" not in first, "the id itself is confidential"
    assert not store.moved()
    store.follow("/elsewhere")
    assert store.source() == Source("/elsewhere", first)
    path.write_text("f" * 32)
    store.follow("/elsewhere")
    assert store.moved(), "to follow accepts nothing"
    path.unlink()
    path.mkdir()
    assert not store.moved()
    store.accept_machine()
    assert store.source() == Source("/elsewhere", first), "what is known is not lost"


def test_copies_of_what_was_brought_go_after_30_days_unless_a_meaning_names_them(store: FileStore) -> None:
    pair = bundle()
    with store.claim("site/a", "import", 0) as lease:
        folder = store.put_import(lease, "a", pair)
        assert store.put_import(lease, "a", pair) == folder, "the same pair is one copy"
    late = datetime.now(UTC) + timedelta(days=31)
    store.tidy(late - timedelta(days=2))
    assert Path(folder).exists()
    spec = ImportSpec(f"{folder}/privkey.pem", f"{folder}/fullchain.pem")
    with store.claim("site/b", "apply", 0) as lease:
        store.put_meaning(lease, replace(DESIRED, name="b", brought=spec))
        store.tidy(late)
        assert Path(folder).exists(), "a site that was renamed names them still"
        store.put_meaning(lease, replace(DESIRED, name="b"))
    store.tidy(late)
    assert not Path(folder).parent.exists()
