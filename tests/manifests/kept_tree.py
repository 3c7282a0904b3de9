"""A manifest tree with its cache, what may be edited in it, and where a reading can be stopped.

Run as a program with a directory: for each edit a child reads the edited tree and kills itself at its n-th step, for
every n; prints how many points were tried.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from reconciler.cli.verbs.validate import NoCache
from reconciler.manifests.settings import Settings
from reconciler.manifests.tree import ManifestTree
from reconciler.store import database, index
from reconciler.store.index import Index
from tests.journeys.stage import SERVER, document, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Cache

SPLIT: Final = {"base.yaml": ("Server", "Target"), "one.yaml": ("one",), "two.yaml": ("two",), "more.yaml": ("more",)}
WHOLE: Final = {"all.yaml": tuple(name for names in SPLIT.values() for name in names)}


@dataclass(slots=True)
class Ground:
    """A tree of a Server, a Target `web` with a template, and Sites `one` and `two`; `layout`: what stands where."""

    root: Path
    layout: Mapping[str, tuple[str, ...]]

    @property
    def manifests(self) -> Path:
        """Where the tree is."""
        return self.root / "manifests"

    def write(self, target: str = "web", template: str = "# {{ site }}", **names: tuple[str, ...]) -> None:
        """Write what differs; `names` are the hostnames of sites, of which empty ones are left out."""
        self.manifests.mkdir(parents=True, exist_ok=True)
        _put(self.root / "vhost.j2", template)
        hostnames = {"one": ("one.example.com",), "two": ("two.example.com",), **names}
        web = {"type": "nginx", "layout": "vhost", "template": {"file": str(self.root / "vhost.j2")}}
        found = {
            "Server": document("Server", "home", {**SERVER, "defaults": {"targets": [target]}}),
            "Target": document("Target", target, {**web, "configDirectory": str(self.root / "conf.d")}),
            **{name: site(name, *some, issuers=["ca"]) for name, some in hostnames.items() if some},
        }
        for file, parts in self.layout.items():
            documents = [found[part] for part in parts if part in found]
            if documents:
                _put(self.manifests / file, yaml.safe_dump_all(documents, sort_keys=False))
            else:
                (self.manifests / file).unlink(missing_ok=True)

    def cache(self, *, writable: bool = True) -> Index:
        """Open the cache."""
        return Index(str(self.root / "index.sqlite"), "0.1.0", writable=writable)

    def tree(self, cache: Cache) -> ManifestTree:
        """Make what reads the tree."""
        settings = Settings((str(self.manifests),), read_template=lambda path: Path(path).read_text())
        return ManifestTree(settings, cache)

    def truth(self) -> Mapping[str, DesiredSite]:
        """Give what the tree means, read without a cache."""
        return meanings(self.tree(NoCache()))

    def kept(self) -> Mapping[str, DesiredSite]:
        """Give what a process that starts now takes the tree for."""
        cache = self.cache()
        try:
            return meanings(self.tree(cache))
        finally:
            cache.close()

    def lose(self) -> None:
        """Delete the cache."""
        for path in self.root.glob("index.sqlite*"):
            path.unlink()


def _put(path: Path, text: str) -> None:
    """Write a file if it differs, never so that its stat stays the same."""
    if not path.exists() or path.read_text() != text:
        fresh = path.with_name(f".{path.name}")
        fresh.write_text(text)
        fresh.rename(path)


EDITS: Final[Mapping[str, Callable[[Ground], None]]] = {
    "edited": lambda ground: ground.write(one=("one.example.com", "www.one.example.com")),
    "removed": lambda ground: ground.write(two=()),
    "added": lambda ground: ground.write(more=("more.example.com",)),
    "moved": lambda ground: ground.write(one=("new.example.com",), two=("two.example.com", "one.example.com")),
    "target": lambda ground: ground.write(target="front"),
    "template": lambda ground: ground.write(template="# another {{ site }}"),
}


def meanings(tree: ManifestTree) -> Mapping[str, DesiredSite]:
    """Read a tree as a pass does; its digests must be those of its meanings."""
    declared = tree.declared(tree.refresh())
    digests = tree.glance()
    assert declared.names == digests.keys()
    assert {name: one.digest for name, one in declared.sites.items()}.items() <= digests.items()
    return declared.sites


@contextmanager
def hooked(hook: Callable[[], None]) -> Iterator[None]:
    """Call `hook` before each question to the cache and each namespace written, before and after each transaction."""
    asking, rewriting, writing = database.ask, index._rewrite, Index.put_all

    def ask(*arguments: Any) -> Any:  # noqa: ANN401  stands in for calls of any shape
        hook()
        return asking(*arguments)

    def rewrite(*arguments: Any) -> None:  # noqa: ANN401
        hook()
        rewriting(*arguments)

    def put_all(*arguments: Any) -> bool:  # noqa: ANN401
        hook()
        done = writing(*arguments)
        hook()
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "ask", ask)
        patch.setattr(index, "_rewrite", rewrite)
        patch.setattr(Index, "put_all", put_all)
        yield


def at_step(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Make a hook that acts once, at the n-th call."""
    count = [0]

    def hook() -> None:
        count[0] += 1
        if count[0] == number:
            act()

    return hook


def die_at(ground: Ground, number: int) -> bool:
    """Read the tree in a child that kills itself at a step; tell whether it got there."""
    child = os.fork()
    if child == 0:
        with hooked(at_step(number, lambda: os.kill(os.getpid(), signal.SIGKILL))):
            meanings(ground.tree(ground.cache()))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "the child failed"
    return os.WIFSIGNALED(status)


def kill(base: Path) -> int:
    """Try every point of every edit."""
    tried = 0
    for layout in (WHOLE, SPLIT):
        for name, edit in EDITS.items():
            number, killed = 0, True
            while killed:
                number += 1
                ground = Ground(base / f"{len(layout)}-{name}-{number}", layout)
                ground.write()
                ground.kept()
                edit(ground)
                killed = die_at(ground, number)
                assert ground.kept() == ground.truth(), f"{name}: killed at step {number}"
                assert ground.kept() == ground.truth(), f"{name}: killed at step {number}, and then read once"
            tried += number - 1
    return tried


if __name__ == "__main__":
    sys.stdout.write(f"{kill(Path(sys.argv[1]))}\n")
