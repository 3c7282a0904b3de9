"""What a broken manifest costs those who look at the tree every few seconds: told by what is done, never by a clock."""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.manifests import reading
from reconciler.manifests.tree import ManifestTree
from reconciler.store.index import Index
from reconciler.wiring import read_template
from tests.journeys.stage import document, site
from tests.manifests.lenient import Ground, server, typo

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Watcher:
    """The tree as `run` holds it: one object for all readings. `read` are the files that it opened for the last one."""

    ground: Ground
    cache: Index
    read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tree = ManifestTree(self.ground.settings, self.cache)

    def look(self) -> tuple[dict[str, str], set[str | None]]:
        """Look at the tree; give the sites, and those that are held."""
        self.read.clear()
        digests = dict(self.tree.refresh())
        return digests, {hold.site for hold in self.tree.declared(()).held}


@pytest.fixture(name="watcher")
def _watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    ground = Ground(tmp_path)
    ground.write("home.yaml", server(issuers=["ca"]))
    for name in "abc":
        ground.write(f"{name}.yaml", site(name))
    cache = Index(str(tmp_path / "index.sqlite"), "0.1.0", writable=True)
    watcher = Watcher(ground, cache)
    reading_one = reading.read_file

    def read_file(path: str) -> Any:  # noqa: ANN401  as the one that it stands in for
        watcher.read.add(Path(path).name)
        return reading_one(path)

    monkeypatch.setattr(reading, "read_file", read_file)
    watcher.look()
    yield watcher
    cache.close()


def test_what_was_found_broken_is_read_again_when_something_changed(watcher: Watcher) -> None:
    good, _ = watcher.look()
    watcher.ground.write("b.yaml", typo(site("b")))
    broken = watcher.look()
    assert (broken[0].keys(), broken[1], watcher.read) == (good.keys(), {"b"}, {"b.yaml"})
    for _ in range(2):
        assert watcher.look() == broken
        assert not watcher.read
    watcher.ground.write("c.yaml", site("c", "c.example.com", "www.c.example.com"))
    edited, held = watcher.look()
    assert edited["c"] != good["c"]
    assert held == {"b"}
    watcher.ground.write("b.yaml", site("b"))
    assert watcher.look() == ({**edited, "b": good["b"]}, set())


def test_what_another_process_wrote_of_a_broken_tree_is_seen(watcher: Watcher) -> None:
    watcher.ground.write("b.yaml", typo(site("b")))
    watcher.look()
    other = ManifestTree(watcher.ground.settings, watcher.cache)  # as `apply --keep-going` is beside
    other.refresh()
    watcher.look()
    assert watcher.read == {"b.yaml"}


def test_what_could_not_be_read_at_all_is_tried_again_each_time(watcher: Watcher) -> None:
    watcher.ground.path("b.yaml").unlink()
    os.mkfifo(watcher.ground.path("b.yaml"))
    for _ in range(3):
        assert watcher.look()[1] == {"b"}
        assert watcher.read == {"b.yaml"}


def test_a_template_is_read_once_the_directory_above_it_was_mended(tmp_path: Path) -> None:
    """Of the file itself nothing is different then: not its stat, nor its text."""
    ground, folder = Ground(tmp_path), tmp_path / "templates"
    ground.settings = replace(ground.settings, read_template=read_template)
    folder.mkdir()
    (folder / "site.j2").write_text("server {}\n")
    spec = {
        "type": "nginx",
        "configDirectory": str(tmp_path),
        "layout": "vhost",
        "template": {"file": str(folder / "site.j2")},
    }
    ground.write("home.yaml", server(issuers=["ca"], targets=["web"]), document("Target", "web", spec))
    ground.write("a.yaml", site("a"))
    with closing(Index(str(tmp_path / "index.sqlite"), "0.1.0", writable=True)) as cache:
        watcher = Watcher(ground, cache)
        folder.chmod(0o777)
        assert watcher.look()[1] == {"a"}
        assert "run: chmod go-w on it" in str(watcher.tree.problems)
        folder.chmod(0o755)
        assert watcher.look()[1] == set()


@contextmanager
def calls() -> Iterator[list[int]]:
    """Count the calls of Python functions in a block."""
    count = [0]

    def profile(_frame: object, event: str, _argument: object) -> None:
        count[0] += event == "call"

    sys.setprofile(profile)
    try:
        yield count
    finally:
        sys.setprofile(None)


def test_twice_as_many_torn_files_cost_twice_as_much(tmp_path: Path) -> None:
    counts = []
    for many in (150, 300):
        ground = Ground(tmp_path / str(many))
        ground.write("home.yaml", server(issuers=["ca"]))
        for number in range(many):
            ground.write(f"s{number}.yaml", site(f"s{number}"))
        ground.read()
        for number in range(many):
            ground.write(f"s{number}.yaml", "apiVersion: certwright/v1\nkind: Site\nmeta")
        with calls() as count:
            found = ground.read()
        assert len(found.sites) == many
        assert all(f"/{hold.site}.yaml:3:" in hold.message for hold in found.held)
        counts += count
    assert counts[1] < 2.5 * counts[0]
