"""What the cache remembers of a tree never outlives an edit: killed, without space, deleted or shared with others."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import ManifestError
from reconciler.manifests.text import documents
from reconciler.store import index
from tests.manifests.kept_tree import EDITS, SPLIT, WHOLE, Ground, at_step, hooked, meanings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.manifests.text.source import Places, Source
    from reconciler.model.ports import Rewrite

CHECKOUT = Path(__file__).resolve().parents[2]
FULL = "database or disk is full"

missing = suppress(ManifestError)
"""A file that is gone between the look at the tree and its reading is told as missing: the next pass knows better."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a tree that moves once more, but without a pause."""
    monkeypatch.setattr("reconciler.manifests.tree._PAUSE", 0.0)


edits = pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
layouts = pytest.mark.parametrize("layout", [WHOLE, SPLIT], ids=["one file", "several"])


def fresh(root: Path, layout: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[int, Ground]]:
    """Give numbers, each with a tree that was read once."""
    for number in itertools.count(1):
        ground = Ground(root / str(number), layout)
        ground.write()
        ground.kept()
        yield number, ground


def assert_seen(ground: Ground) -> None:
    """See that whoever comes next, and after him, takes the tree for what it is."""
    for _ in range(2):
        assert ground.kept() == ground.truth()


def fail() -> None:
    raise sqlite3.OperationalError(FULL)


@edits
@layouts
def test_every_edit_is_seen(
    tmp_path: Path, layout: Mapping[str, tuple[str, ...]], edit: Callable[[Ground], None]
) -> None:
    ground = Ground(tmp_path, layout)
    ground.write()
    before = ground.kept()
    edit(ground)
    assert ground.kept() != before
    assert_seen(ground)


@edits
@layouts
def test_a_step_that_fails_hides_no_edit(
    tmp_path: Path, layout: Mapping[str, tuple[str, ...]], edit: Callable[[Ground], None]
) -> None:
    for number, ground in fresh(tmp_path, layout):
        edit(ground)
        reached: list[int] = []

        def failing(reached: list[int] = reached) -> None:
            reached.append(1)
            fail()

        with hooked(at_step(number, failing)):
            try:
                assert ground.kept() == ground.truth(), f"step {number} failed"
            except sqlite3.OperationalError:
                # at a transaction's border: as if the process had been stopped there
                assert reached
        assert_seen(ground)
        if not reached:
            break
    assert number > 5


@edits
def test_from_some_step_on_the_disk_is_full(
    tmp_path: Path, edit: Callable[[Ground], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = index.Index._write
    for pages in range(3, 12):
        ground = Ground(tmp_path / str(pages), SPLIT)
        ground.write()
        ground.kept()
        edit(ground)

        def full(self: index.Index, *arguments: object, pages: int = pages) -> bool:
            self._connection = self._connection or self._open()
            self._connection.execute(f"PRAGMA max_page_count = {pages}")
            return writing(self, *arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(index.Index, "_write", full)
            assert ground.kept() == ground.truth()
        assert_seen(ground)


@edits
def test_the_cache_is_deleted_meanwhile(tmp_path: Path, edit: Callable[[Ground], None]) -> None:
    for number, ground in fresh(tmp_path, SPLIT):
        edit(ground)
        reached: list[int] = []

        def losing(ground: Ground = ground, reached: list[int] = reached) -> None:
            reached.append(1)
            ground.lose()

        with hooked(at_step(number, losing)):
            assert ground.kept() == ground.truth()
        assert_seen(ground)
        if not reached:
            break


def test_a_process_that_goes_on_reads_anew_what_was_deleted(tmp_path: Path) -> None:
    ground = Ground(tmp_path, SPLIT)
    ground.write()
    cache = ground.cache()
    tree = ground.tree(cache)
    before = meanings(tree)
    ground.lose()
    assert meanings(tree) == before == ground.truth()
    cache.close()


@edits
@pytest.mark.parametrize("later", EDITS.values(), ids=EDITS)
def test_another_process_reads_a_later_state_in_between(
    tmp_path: Path, edit: Callable[[Ground], None], later: Callable[[Ground], None]
) -> None:
    for number, ground in fresh(tmp_path, SPLIT):
        edit(ground)
        reached: list[int] = []

        def overtaking(ground: Ground = ground, reached: list[int] = reached) -> None:
            if not reached:
                reached.append(1)
                later(ground)
                ground.kept()

        cache = ground.cache()
        tree = ground.tree(cache)
        with hooked(outside(at_step(number, overtaking), cache)), missing:
            meanings(tree)
        assert meanings(tree) == ground.truth(), f"overtaken at step {number}"
        cache.close()
        assert_seen(ground)
        if not reached:
            break


def outside(step: Callable[[], None], *caches: index.Index) -> Callable[[], None]:
    """Make a hook that leaves transactions out: nobody else can write there."""

    def hook() -> None:
        if not any(one._connection is not None and one._connection.in_transaction for one in caches):
            step()

    return hook


class Turns:
    """Two threads that take turns: each goes to a number of steps of its own, then the other goes on."""

    def __init__(self, stops: Mapping[str, int]) -> None:
        self._stops, self._counts = dict(stops), dict.fromkeys(stops, 0)
        self._go = {name: threading.Event() for name in stops}
        self._over: set[str] = set()

    def start(self, name: str, work: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            self._go[name].wait()
            try:
                work()
            finally:
                self._over.add(name)
                self._let_the_others()

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def begin(self, name: str) -> None:
        self._go[name].set()

    def step(self) -> None:
        """Stop here if it is this thread's place to."""
        name = threading.current_thread().name
        if name not in self._counts:
            return
        self._counts[name] += 1
        if self._counts[name] == self._stops[name] and len(self._over) == 0:
            self._go[name].clear()
            self._let_the_others()
            self._go[name].wait(10)

    def _let_the_others(self) -> None:
        me = threading.current_thread().name
        for name, event in self._go.items():
            if name != me:
                event.set()


@edits
def test_two_processes_take_turns(tmp_path: Path, edit: Callable[[Ground], None]) -> None:
    """The first read the tree before an edit, the second after it; each is stopped at each of its steps."""
    for first, second in itertools.product(range(1, 11), range(1, 11)):
        ground = Ground(tmp_path / f"{first}-{second}", SPLIT)
        ground.write()
        ground.kept()
        ground.write(one=("v1.example.com",))
        turns = Turns({"first": first, "second": second})
        caches = {name: ground.cache() for name in ("first", "second")}

        def work(name: str, ground: Ground = ground, caches: dict[str, index.Index] = caches) -> None:
            if name == "second":
                edit(ground)
            with missing:
                meanings(ground.tree(caches[name]))

        with hooked(outside(turns.step, *caches.values())):
            threads = [turns.start(name, partial(work, name)) for name in caches]
            turns.begin("first")
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
        for cache in caches.values():
            cache.close()
        assert ground.kept() == ground.truth(), f"stopped at steps {first} and {second}"
        assert_seen(ground)


def test_a_template_edited_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    ground = Ground(tmp_path, SPLIT)
    ground.write()
    tree = ground.tree(cache := ground.cache())
    reading = tree.settings.read_template

    def edited(path: str) -> str | None:
        text = reading(path)
        ground.write(template="# later")
        return text

    tree.settings = replace(tree.settings, read_template=edited)
    meanings(tree)
    cache.close()
    assert_seen(ground)


def test_an_edit_writes_its_own_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground(tmp_path, SPLIT)
    ground.write()
    ground.kept()
    ground.kept()
    written: list[str] = []
    real = index._rewrite

    def rewrite(connection: sqlite3.Connection, namespace: str, change: Rewrite) -> None:
        kind = namespace.rpartition("/")[2]
        written.extend(
            f"{kind} {key.replace(str(ground.manifests), '')}".replace("\0", " ") for key in change.rows if key
        )
        written.extend(f"-{kind} {key}".replace("\0", " ") for key in change.drop)
        real(connection, namespace, change)

    monkeypatch.setattr(index, "_rewrite", rewrite)
    EDITS["edited"](ground)
    ground.kept()
    claims = ["claim web one.example.com", "claim web www.one.example.com"]
    assert sorted(written) == [*claims, "file /one.yaml", "site one", "tree files", "where one"]
    written.clear()
    ground.kept()
    assert written == []


def test_places_are_looked_for_only_where_something_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground(tmp_path, SPLIT)
    ground.write()
    ground.kept()
    asked: list[str] = []
    real = documents.places_in

    def places_in(source: Source) -> Places:
        asked.append(source.file)
        return real(source)

    monkeypatch.setattr(documents, "places_in", places_in)
    base = ground.manifests / "base.yaml"
    base.write_text(f"# one Server\n{base.read_text()}")
    ground.kept()
    assert asked == []


def test_killed_at_any_step_the_next_pass_sees_the_edit(tmp_path: Path) -> None:
    """A program of its own, for it forks, which a process with threads (of the test runner) must not."""
    base = next((path for path in (Path("/dev/shm"), tmp_path) if os.access(path, os.W_OK)), tmp_path)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        command = [sys.executable, "-m", "tests.manifests.kept_tree", folder]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # twelve readings of some ten steps each: fewer would mean that the steps are not seen any more
    assert int(done.stdout) > 100
