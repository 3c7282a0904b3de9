"""Locks between processes, and the feed by which they see each other."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import HeldBy, LeaseLost, StoreError
from reconciler.store import atomic
from reconciler.store.files import open_store
from tests.builders import SteadyClock
from tests.store.material import order
from tests.store.tree import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.store.files import FileStore

ROOT = Path(__file__).resolve().parents[2]
OTHER = """
import sys
from reconciler.store.files import open_store
from tests.builders import SteadyClock
with open_store(sys.argv[1], SteadyClock(), "0.1.0", write=True) as store, store.claim(sys.argv[2], "run", 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(root: Path, scope: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a scope until its standard input ends."""
    command = [sys.executable, "-c", OTHER, str(root), scope]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_a_second_run_is_refused_with_the_first_ones_pid(store: FileStore, root: Path) -> None:
    with another(root, "run") as process:
        assert (store.holder("run") or (0,))[0] == process.pid
        with pytest.raises(HeldBy) as caught, store.claim("run", "run", 0):
            pass
        assert str(caught.value).startswith(f"run is held by process {process.pid} (certwright run) since 2")
        assert (caught.value.pid, caught.value.verb) == (process.pid, "run")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.holder("run") is None
        with store.claim("run", "run", 0):
            pass


def test_waiting_ends_with_the_stop_flag(root: Path) -> None:
    clock = SteadyClock()
    with open_store(str(root), clock, "0.1.0", write=True) as store, store.claim("site/a", "apply", 0):
        clock.stop()
        with pytest.raises(HeldBy), store.claim("site/a", "apply", 600):
            pass


def test_a_lease_whose_lock_file_was_deleted_is_lost(store: FileStore, root: Path) -> None:
    with store.claim("site/a", "apply", 0) as first:
        (root / "locks/site/a").unlink()
        with store.claim("site/a", "apply", 0) as second, pytest.raises(LeaseLost):
            store.put_order(first, "a", order())
        assert second.scope == "site/a"
    assert store.orders(["a"]) == {}


@pytest.mark.parametrize("line", [b"", b"\xff", b"[]", b'{"epoch": "x"}', b'{"epoch": 3, "pid": "\x1b"}', b"x" * 9000])
def test_a_damaged_lock_file_is_only_a_poor_message(store: FileStore, root: Path, line: bytes) -> None:
    (root / "locks/site/a").write_bytes(line)
    with store.claim("site/a", "apply", 0):
        (root / "locks/site/a").write_bytes(line)
        assert store.holder("site/a") is not None
        with pytest.raises(HeldBy) as caught, store.claim("site/a", "apply", 0):
            pass
    assert "\x1b" not in str(caught.value)
    assert store.holder("site/a") is None


def test_what_another_process_writes_comes_through_the_feed(store: FileStore, root: Path) -> None:
    _, cursor = store.changes(0)
    with open_store(str(root), SteadyClock(), "0.1.0", write=True) as other:
        with other.claim("site/a", "apply", 0) as lease:
            other.put_order(lease, "a", order())
            assert store.changes(cursor)[0] == {"a"}, "at the first write"
            _, cursor = store.changes(cursor)
            assert store.changes(cursor) == (frozenset(), cursor)
            other.put_order(lease, "a", order())
            assert store.changes(cursor)[0] == frozenset()
            other.drop_order(lease, "a", keep_key=False)
            assert store.changes(cursor)[0] == frozenset()
        assert store.changes(cursor)[0] == {"a"}, "and of all the others at the end"
        _, cursor = store.changes(cursor)
        with other.claim("site/a", "apply", 0) as lease:
            other.drop_order(lease, "a", keep_key=False)
        assert store.changes(cursor)[0] == frozenset(), "nothing was written"


def test_a_cursor_of_another_ledger_means_all(store: FileStore) -> None:
    with store.claim("site/a", "apply", 0) as lease:
        store.put_order(lease, "a", order())
    assert store.changes(10**6) == (store.sites(), 1)


def test_two_processes_change_one_memory(root: Path) -> None:
    open_store(str(root), SteadyClock(), "0.1.0", write=True).close()
    program = """
import sys
from dataclasses import replace
from reconciler.model.observed import Failures
from reconciler.store.files import open_store
from tests.builders import SteadyClock
def count(memory):
    seen = memory.failures.get("issue", Failures())
    return replace(memory, failures={"issue": replace(seen, local=seen.local + 1)})
with open_store(sys.argv[1], SteadyClock(), "0.1.0", write=True) as store:
    for _ in range(50):
        store.remember("a", count)
"""
    command = [sys.executable, "-c", program, str(root)]
    workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    with open_store(str(root), SteadyClock(), "0.1.0", write=False) as store:
        memory = store.memory(["a"])["a"]
        assert (memory.version, memory.failures["issue"].local) == (150, 150)
    assert names(root / "tmp") == []


def test_a_full_disk_is_told_and_takes_nothing_back(
    store: FileStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _line: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with store.claim("site/a", "test", 0):
        monkeypatch.setattr(atomic, "note_holder", full)
    with pytest.raises(StoreError, match=f"cannot write {root}/locks/site/a: the file system is full"):
        store.claim("site/a", "test", 0).__enter__()
    monkeypatch.undo()
    with store.claim("site/a", "test", 0):
        pass
