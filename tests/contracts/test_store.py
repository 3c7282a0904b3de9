"""What every implementation of the protocol `Store` promises. Today there is one: files and sqlite."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Conflict, Failed, HeldBy, LeaseLost, UsageError
from reconciler.model.desired import FilesTarget
from reconciler.model.observed import (
    AccountRecord,
    Failures,
    Inventory,
    Memory,
    NoRevision,
    Revision,
    TargetRecord,
    Undo,
)
from reconciler.store.files import FileStore, open_store
from tests.builders import SteadyClock
from tests.store.material import DESIRED, DIRECTORY, NOW, authority, bundle, certificate, meta, order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from reconciler.model.ports import Lease, Store


def _files(path: Path) -> FileStore:
    return open_store(str(path / "state"), SteadyClock(), "0.1.0", write=True)


@pytest.fixture(params=[_files], ids=["files"], name="store")
def _store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: FileStore = request.param(tmp_path)
    yield store
    store.close()


def held(store: Store, scope: str = "site/a") -> AbstractContextManager[Lease]:
    return store.claim(scope, "apply", 0)


# --- leases


def test_a_lease_is_held_by_one_and_its_epoch_grows(store: Store) -> None:
    with held(store) as first:
        assert store.holder("site/a") is not None
        with (
            pytest.raises(HeldBy, match=r"^site a is held by process \d+ \(certwright apply\) since 2\d{3}-"),
            held(store),
        ):
            pass
        with held(store, "site/b"):
            pass
    assert store.holder("site/a") is None
    with held(store) as second:
        assert second.epoch > first.epoch


def test_a_lease_is_waited_for(store: Store) -> None:
    leaving, inside = threading.Event(), threading.Event()
    free = threading.Timer(0.1, leaving.set)

    def hold() -> None:
        with held(store):
            inside.set()
            leaving.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    free.start()
    with store.claim("site/a", "apply", 10):
        assert leaving.is_set()
    holder.join()


def test_every_leased_write_refuses_a_stale_and_a_foreign_lease(store: Store) -> None:
    with (
        held(store) as stale,
        held(store, "target/web") as target,
        held(store, "account/acme.example/default") as account,
    ):
        pass
    with held(store, "site/b") as foreign:
        for lease in (stale, foreign):
            for write in (
                lambda lease=lease: store.put_meaning(lease, DESIRED),
                lambda lease=lease: store.activate(lease, "a", "20260101T000000Z-00000000", None),
                lambda lease=lease: store.archive(lease, "a"),
                lambda lease=lease: store.trim(lease, "a", 1, ()),
                lambda lease=lease: store.put_order(lease, "a", order()),
                lambda lease=lease: store.drop_order(lease, "a", keep_key=False),
                lambda lease=lease: store.put_revision(lease, "a", bundle(), meta()),
                lambda lease=lease: store.pending_key(lease, "a", lambda: bundle().key),
            ):
                with pytest.raises(LeaseLost):
                    write()
        for lease in (target, foreign):
            for write in (
                lambda lease=lease: store.put_inventory(lease, "web", {"a": Inventory("a")}),
                lambda lease=lease: store.put_target(lease, TargetRecord(FilesTarget(name="web"))),
                lambda lease=lease: store.drop_target(lease, "web"),
                lambda lease=lease: store.put_switch(lease, "web", b"x"),
            ):
                with pytest.raises(LeaseLost):
                    write()
        for lease in (account, foreign):
            with pytest.raises(LeaseLost):
                store.put_account(lease, AccountRecord(DIRECTORY, "default"), bundle().key)
            with pytest.raises(LeaseLost):
                store.put_ca(lease, "own", *authority())
    assert store.sites() == frozenset()
    assert store.accounts() == {}


# --- revisions and the pointer


def test_nothing_is_known_of_a_new_site(store: Store) -> None:
    assert store.live(["a"]) == {"a": NoRevision()}
    assert store.revisions("a") == ()
    assert store.memory(["a"]) == {"a": Memory()}
    assert store.orders(["a"]) == {}
    assert store.meaning(["a"]) == {}
    assert store.sites() == frozenset()


def test_a_revision_comes_back_as_it_was_put(store: Store) -> None:
    given, about = bundle(), meta()
    with held(store) as lease:
        name = store.put_revision(lease, "a", given, about)
        assert store.live(["a"]) == {"a": NoRevision()}
        store.activate(lease, "a", name, None)
    live = store.live(["a"])["a"]
    assert isinstance(live, Revision)
    assert (live.id, live.meta, live.facts.hostnames) == (name, about, ("a.example",))
    assert store.revisions("a") == (live,)
    assert store.bundle("a", name) == given
    assert store.sites() == {"a"}


def test_the_same_certificate_twice_is_one_revision(store: Store) -> None:
    given = bundle()
    with held(store) as lease:
        assert store.put_revision(lease, "a", given, meta()) == store.put_revision(lease, "a", given, meta("Again"))
        other = store.put_revision(lease, "a", bundle(), meta())
    newest, _ = store.revisions("a")
    assert newest.id == other


def test_a_key_of_another_certificate_is_refused(store: Store) -> None:
    with held(store) as lease, pytest.raises(Failed, match="another key"):
        store.put_revision(lease, "a", replace(bundle(), key=bundle().key), meta())
    assert store.revisions("a") == ()


def test_the_pointer_moves_only_from_what_was_expected(store: Store) -> None:
    with held(store) as lease:
        first, second = (store.put_revision(lease, "a", bundle(), meta()) for _ in range(2))
        store.activate(lease, "a", first, None)
        store.activate(lease, "a", first, first)
        with pytest.raises(Conflict):
            store.activate(lease, "a", second, None)
        with pytest.raises(Conflict):
            store.activate(lease, "a", "20260101T000000Z-00000000", first)
        store.activate(lease, "a", second, first)
        store.activate(lease, "a", first, second)
    live = store.live(["a"])["a"]
    assert isinstance(live, Revision)
    assert live.id == first


def test_trimming_spares_the_newest_the_live_and_the_needed(store: Store) -> None:
    with held(store) as lease:
        names = [store.put_revision(lease, "a", bundle(), meta()) for _ in range(5)]
        store.activate(lease, "a", names[0], None)
        store.trim(lease, "a", 2, [names[1]])
    assert [revision.id for revision in store.revisions("a")] == [names[4], names[3], names[1], names[0]]


def test_an_archived_site_is_unknown_and_may_come_again(store: Store) -> None:
    given = bundle()
    for _ in range(2):
        with held(store) as lease:
            store.put_meaning(lease, DESIRED)
            store.put_order(lease, "a", order())
            store.pending_key(lease, "a", lambda: given.key)
            store.activate(lease, "a", store.put_revision(lease, "a", given, meta(at=NOW)), None)
            store.remember("a", lambda memory: replace(memory, renew_requested="x"))
            assert store.sites() == {"a"}
            store.archive(lease, "a")
            store.archive(lease, "a")
        assert store.sites() == frozenset()
        assert store.live(["a"]) == {"a": NoRevision()}
        assert store.orders(["a"]) == {}
        assert store.memory(["a"]) == {"a": Memory()}


def test_a_revision_comes_back_out_of_the_archive(store: Store) -> None:
    with held(store) as lease:
        name = store.put_revision(lease, "a", bundle(), meta(at=NOW))
        store.activate(lease, "a", name, None)
        kept = store.revisions("a")
        store.archive(lease, "a")
        assert store.archived(["a", "b"]) == {"a": kept}
        store.unarchive(lease, "a", name)
        store.unarchive(lease, "a", name)
        assert store.archived(["a"]) == {}
        store.activate(lease, "a", name, None)
    assert store.live(["a"]) == {"a": kept[0]}


# --- memory, orders, meanings


def test_memory_counts_its_writes_and_a_change_of_nothing_is_none(store: Store) -> None:
    failed = store.remember("a", lambda memory: replace(memory, failures={"issue": Failures(local=1, since=NOW)}))
    assert failed.version == 1
    assert store.remember("a", lambda memory: memory) == failed
    assert store.memory(["a"]) == {"a": failed}


def test_two_writers_of_one_memory_lose_nothing(store: Store) -> None:
    def count(memory: Memory) -> Memory:
        seen = memory.failures.get("issue", Failures())
        return replace(memory, failures={"issue": replace(seen, local=seen.local + 1)})

    def work() -> None:
        for _ in range(20):
            store.remember("a", count)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    memory = store.memory(["a"])["a"]
    assert (memory.version, memory.failures["issue"].local) == (80, 80)


def test_an_order_is_kept_with_its_key(store: Store) -> None:
    made = [bundle().key, bundle().key]
    with held(store) as lease:
        store.put_order(lease, "a", order())
        key = store.pending_key(lease, "a", lambda: made[0])
        store.put_order(lease, "a", order("https://acme.example/order/1"))
        assert store.orders(["a", "b"]) == {"a": order("https://acme.example/order/1")}
        store.drop_order(lease, "a", keep_key=True)
        assert store.orders(["a"]) == {}
        assert store.pending_key(lease, "a", lambda: made[1]) == key
        store.drop_order(lease, "a", keep_key=False)
        assert store.pending_key(lease, "a", lambda: made[1]) == made[1]


def test_a_meaning_keeps_its_targets_and_issuers(store: Store) -> None:
    with held(store) as lease:
        store.put_meaning(lease, DESIRED)
    with held(store, "run") as lease:
        store.put_meaning(lease, replace(DESIRED, name="b"))
    assert store.meaning(["a", "b", "c"]) == {"a": DESIRED, "b": replace(DESIRED, name="b")}
    assert store.sites() == {"a", "b"}


# --- targets


def test_an_inventory_is_kept_by_target_and_site(store: Store) -> None:
    record, entry = TargetRecord(FilesTarget(name="web"), last_reload=NOW), Inventory("target", loaded="r")
    with held(store, "target/web") as lease:
        store.put_target(lease, record)
        store.put_inventory(lease, "web", {"target": entry, "switch": Inventory("switch")})
        store.put_switch(lease, "web", b"former bytes")
        assert store.targets() == {"web": record}
        assert store.inventory("web") == {"target": entry, "switch": Inventory("switch")}
        assert store.installed_on("web") == {"target", "switch"}
        assert store.inventory_of("web", "target") == entry
        assert store.switching("web") == b"former bytes"
        assert store.sites() == {"target", "switch"}
        with pytest.raises(Conflict):
            store.drop_target(lease, "web")
        store.put_inventory(lease, "web", {"target": None, "switch": None})
        with pytest.raises(Conflict):
            store.drop_target(lease, "web")
        store.put_switch(lease, "web", None)
        store.drop_target(lease, "web")
    assert store.targets() == {}
    assert store.switching("web") is None
    assert store.inventory_of("web", "target") is None


# --- undo, accounts, CAs


def test_what_must_be_undone_outlives_its_site(store: Store) -> None:
    thing = Undo("f00", "a", "webroot", "/srv/www", "token")
    store.put_undo(thing)
    store.put_undo(replace(thing, identity="1:2"))
    with held(store) as lease:
        store.archive(lease, "a")
    assert store.undo() == (replace(thing, identity="1:2"),)
    store.undone(thing)
    store.undone(thing)
    assert store.undo() == ()


def test_an_account_keeps_its_key(store: Store) -> None:
    key, record = bundle().key, AccountRecord(DIRECTORY, "default")
    other = replace(record, directory="https://acme.example/other")
    with held(store, "account/acme.example/default") as lease:
        assert store.account_key(DIRECTORY, "default") is None
        store.put_account(lease, record, key)
        store.put_account(lease, replace(record, url="https://acme.example/acct/1"), key)
        with pytest.raises(Conflict):
            store.put_account(lease, record, bundle().key)
        store.put_account(lease, other, bundle().key)
    assert store.account_key(DIRECTORY, "default") == key
    assert {account.url for account in store.accounts().values()} == {None, "https://acme.example/acct/1"}
    assert set(store.accounts()) == {(DIRECTORY, "default"), ("https://acme.example/other", "default")}


def test_a_private_ca_is_made_once(store: Store) -> None:
    with held(store, "account/ca/own") as lease:
        assert store.ca("own") is None
        store.put_ca(lease, "own", *authority())
        store.put_ca(lease, "own", *authority())
        with pytest.raises(Conflict):
            store.put_ca(lease, "own", key := bundle().key, certificate(key))
    assert store.ca("own") == authority()


@pytest.mark.parametrize("name", ["..", "", "a/b", "a\n", "*.a", "-x", "ä", ".hidden", "x" * 201])
def test_impossible_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.live([name])
    with pytest.raises(UsageError):
        store.remember(name, lambda memory: replace(memory, renew_requested="x"))
    with pytest.raises(UsageError):
        store.put_token(f"{name}/", "x")
    with pytest.raises(UsageError), store.claim(f"site/{name}", "apply", 0):
        pass
