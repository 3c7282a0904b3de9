"""What stands in the store may be cut, changed, swapped or gone: it is told, and never used."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Failed, NewerStore, StoreError
from reconciler.model.observed import BrokenRevision, Inventory, Memory, OrderRecord, RenewalChoice, Revision, Undo
from reconciler.store import records
from tests.store.material import bundle, meta, order

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.observed import Live
    from reconciler.store.files import FileStore

FILES = ("privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "meta.json")


def made_live(store: FileStore, site: str = "a") -> str:
    with store.claim(f"site/{site}", "test", 0) as lease:
        name = store.put_revision(lease, site, bundle(), meta())
        store.activate(lease, site, name, store.live_name(site))
    return name


def live(store: FileStore) -> Live:
    return store.live(["a"])["a"]


def corrupt(store: FileStore, words: str, reason: str = "Corrupt") -> None:
    found = live(store)
    assert isinstance(found, BrokenRevision)
    assert found.reason == reason
    assert words in found.message
    assert "PRIVATE" not in found.message
    assert store.revisions("a") == ()
    with pytest.raises(Failed) as caught:
        store.bundle("a", found.id)
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["gone", "empty", "half", "other", "directory", "link", "fifo", "longer"])
def test_a_revision_with_a_bad_file_is_broken(store: FileStore, root: Path, name: str, how: str) -> None:
    path = root / "live" / "a" / name
    made_live(store)
    text = path.read_bytes()
    path.unlink()
    match how:
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(text[: len(text) // 2])
        case "other":
            path.write_bytes(bundle().certificate)
        case "longer":
            path.write_bytes(text + b"\n")
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to("cert.pem")
        case "fifo":
            os.mkfifo(path)
        case _:
            assert how == "gone"
    if (name, how) == ("meta.json", "longer"):
        assert isinstance(live(store), Revision)  # a blank line more changes no meaning
    else:
        corrupt(store, "revision 2", "KeyMismatch" if (name, how) == ("cert.pem", "other") else "Corrupt")


@pytest.mark.parametrize("name", FILES)
def test_a_revision_that_was_good_is_read_again_when_a_file_changed(store: FileStore, root: Path, name: str) -> None:
    path = root / "certificates" / "a" / made_live(store) / name
    time.sleep(0.03)
    first = live(store)
    assert isinstance(first, Revision)
    assert live(store) is first
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-2] + b"x\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(live(store), BrokenRevision)
    path.write_bytes(content)
    assert live(store) == first


def test_a_key_that_was_swapped_is_a_mismatch(store: FileStore, root: Path) -> None:
    made_live(store)
    (root / "live/a/privkey.pem").write_bytes(bundle().key.reveal())
    corrupt(store, "another key", "KeyMismatch")


def test_a_key_of_a_kind_that_we_do_not_read_is_corrupt(store: FileStore, root: Path) -> None:
    made_live(store)
    (root / "live/a/privkey.pem").write_bytes(
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    corrupt(store, "key")


@pytest.mark.parametrize(
    "text", ["nowhere", "/etc", "../certificates/b/20260101T000000Z-00000000", "../certificates/a/../../x", ""]
)
def test_a_pointer_that_is_not_ours_is_broken_and_can_be_replaced(store: FileStore, root: Path, text: str) -> None:
    made_live(store)
    pointer = root / "live/a"
    pointer.unlink()
    if text:
        pointer.symlink_to(text)
    else:
        pointer.write_text("a file")
    found = live(store)
    assert isinstance(found, BrokenRevision)
    with store.claim("site/a", "test", 0) as lease:
        name = store.put_revision(lease, "a", bundle(), meta())
        store.activate(lease, "a", name, found.id)
    assert isinstance(live(store), Revision)


def test_a_pointer_to_a_revision_that_is_gone_is_broken(store: FileStore, root: Path) -> None:
    name = made_live(store)
    (root / "certificates/a" / name).rename(root / "elsewhere")
    corrupt(store, "missing")
    assert store.paths_of("a")
    assert store.sites() == {"a"}


def test_a_broken_revision_is_never_replaced_but_stored_anew(store: FileStore, root: Path) -> None:
    given_, about = bundle(), meta()
    with store.claim("site/a", "test", 0) as lease:
        name = store.put_revision(lease, "a", given_, about)
        (root / "certificates/a" / name / "chain.pem").write_bytes(b"")
        again = store.put_revision(lease, "a", given_, about)
        assert again == f"{name}-2"
        assert store.put_revision(lease, "a", given_, about) == again


@pytest.mark.parametrize("text", ["2026-11-01T00:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_compares_with_no_other_is_damage(store: FileStore, root: Path, text: str) -> None:
    store.remember("a", lambda memory: replace(memory, renewal=RenewalChoice("r1", datetime.now(UTC), "x")))
    path = root / "status/a.json"
    path.write_text(re.sub(r'"20[^"]*Z"', json.dumps(text), path.read_text()))
    assert text in path.read_text()
    assert store.memory(["a"]) == {"a": Memory()}


def test_a_damaged_memory_is_empty_and_said_once(store: FileStore, root: Path) -> None:
    store.remember("a", lambda memory: replace(memory, renew_requested="x"))
    (root / "status/a.json").write_bytes(b'{"v": 1, "data": {')
    assert store.memory(["a"]) == {"a": Memory()}
    assert store.events() == ()
    assert store.remember("a", lambda memory: memory) == Memory(version=1)
    store.remember("a", lambda memory: replace(memory, renew_requested="y"))
    assert [event.reason for event in store.events("a")] == ["StatusUnreadable"]


def test_a_damaged_order_is_none_and_kept_aside(store: FileStore, root: Path) -> None:
    with store.claim("site/a", "test", 0) as lease:
        store.put_order(lease, "a", order())
        (root / "orders/a/order.json").write_bytes(b"[]")
        assert store.orders(["a"]) == {}
        store.put_order(lease, "a", order("https://acme.example/order/2"))
        assert (root / "orders/a/order.broken").read_bytes() == b"[]"
        store.drop_order(lease, "a", keep_key=False)
    assert not (root / "orders/a").exists()


def test_a_damaged_pending_key_is_made_anew(store: FileStore, root: Path) -> None:
    first, second = bundle().key, bundle().key
    with store.claim("site/a", "test", 0) as lease:
        store.pending_key(lease, "a", lambda: first)
        (root / "orders/a/pending.key").write_bytes(first.reveal()[:60])
        assert store.pending_key(lease, "a", lambda: second) == second
        assert store.pending_key(lease, "a", lambda: first) == second


def test_damage_to_what_tells_ours_from_others_is_an_error(store: FileStore, root: Path) -> None:
    (root / "undo/f00.json").write_bytes(b"null")
    (root / "ca/own").mkdir()
    for ask in (store.undo, lambda: store.ca("own")):
        with pytest.raises(StoreError, match=r"(restore it|move it) "):
            ask()


@pytest.mark.parametrize("how", ["empty", "rubbish", "directory"])
def test_a_damaged_inventory_is_none_and_told(store: FileStore, root: Path, how: str) -> None:
    with store.claim("target/web", "test", 0) as lease:
        store.put_inventory(lease, "web", {"a": Inventory("a"), "b": Inventory("b")})
    for path in (root / "inventory/web/sites/a.json", root / "inventory/web/target.json"):
        path.unlink(missing_ok=True)
        if how == "directory":
            path.mkdir()
        else:
            path.write_bytes(b"" if how == "empty" else b'{"v": 1, "data": 7}')
    assert store.inventory("web") == {"b": Inventory("b")}
    assert store.inventory_of("web", "a") is None
    told = store.damage(["a"]).get("a", "") if how == "directory" else store.lost("web", "a")
    assert f"{root}/inventory/web/sites/a.json" in told
    assert (store.lost("web", "b"), store.lost("web", "c")) == ("", "")
    assert store.targets() == {}
    assert f"{root}/inventory/web/target.json" in store.lost_targets()["web"]


def test_an_undo_record_that_a_loss_of_power_emptied_is_as_none(store: FileStore, root: Path) -> None:
    # what is inside the store is not synced, and went with its record
    (root / "undo/f00.json").write_bytes(b"")
    assert store.undo() == ()
    assert not list((root / "undo").iterdir())


def test_an_undo_record_under_another_name_is_damaged(store: FileStore, root: Path) -> None:
    """Whoever takes it away looks for it by its id."""
    store.put_undo(Undo("f00", "a", "token", "", "t"))
    (root / "undo/f00.json").rename(root / "undo/f01.json")
    with pytest.raises(StoreError, match=r"f01\.json is damaged: it is not what its name says; move it away"):
        store.undo()


@pytest.mark.parametrize("path", ["status/a.json", "orders/a/order.json", "certificates/a/{}/meta.json"])
def test_a_record_of_a_newer_version_is_refused_by_name(store: FileStore, root: Path, path: str) -> None:
    name = made_live(store)
    with store.claim("site/a", "test", 0) as lease:
        store.put_order(lease, "a", order())
    store.remember("a", lambda memory: replace(memory, renew_requested="x"))
    file = root / path.format(name)
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "v": 2, "writtenBy": "7.1\x1b"}))
    with pytest.raises(NewerStore, match=r"written by certwright 7\.1\\x1b \(format 2\)"):
        store.memory(["a"]), store.orders(["a"]), store.live(["a"])


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
    )
)
def test_no_text_makes_a_record_reader_fail_otherwise(value: object) -> None:
    raws = (
        [value]
        if isinstance(value, bytes)
        else [json.dumps(value).encode(), json.dumps({"v": 1, "data": value}).encode()]
    )
    for raw in raws:
        with pytest.raises(records.Unreadable):
            records.decode(OrderRecord, raw, "x")


def test_a_deep_text_is_only_unreadable() -> None:
    with pytest.raises(records.Unreadable):
        records.decode(OrderRecord, b'{"v":1,"data":' + b"[" * 100_000, "x")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b'{"v":1,"data', "it is cut off"),
        (b'{"v":1,}\n', "it is no JSON (Expecting property name"),
        (b"[]\n", "it is no record"),
        (b'{"data":{}}\n', "it has no format number"),
    ],
)
def test_a_damaged_record_is_told_in_words(raw: bytes, why: str) -> None:
    with pytest.raises(records.Unreadable, match="^x.json is damaged: " + re.escape(why)):
        records.decode(Inventory, raw, "x.json")
