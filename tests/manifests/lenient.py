"""A manifest tree as `run` reads it: what was good once goes on, from the cache or from what the store has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.cli.verbs.validate import NoCache
from reconciler.manifests.settings import Settings
from reconciler.manifests.tree import ManifestTree
from reconciler.store.index import Index
from tests.journeys.stage import document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.model.changes import Hold
    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Cache, Declared


@dataclass
class Ground:
    """A tree below `root`. Each reading is a process of its own; `cached`: what was read last is kept, as it is."""

    root: Path
    cached: bool = True
    settings: Settings = field(init=False)
    acted_on: Mapping[str, DesiredSite] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with an empty tree."""
        (self.root / "tree").mkdir(parents=True)
        self.settings = Settings((str(self.root / "tree"),), lenient=True, last_good=self._last_good)

    def _last_good(self, names: Any) -> Mapping[str, DesiredSite]:  # noqa: ANN401  any names
        wanted = list(names) or list(self.acted_on)
        return {name: self.acted_on[name] for name in wanted if name in self.acted_on}

    def path(self, file: str) -> Path:
        """Give the path of a file of the tree."""
        return self.root / "tree" / file

    def write(self, file: str, *documents: Mapping[str, object] | str) -> None:
        """Write a file, the way editors do; texts as they are."""
        path = self.path(file)
        path.parent.mkdir(exist_ok=True)
        texts = [one if isinstance(one, str) else yaml.safe_dump(one, sort_keys=False) for one in documents]
        fresh = path.with_name(f".{path.name}")
        fresh.write_text("---\n".join(texts))
        fresh.rename(path)

    def read(self) -> Declared:
        """Read the tree; what it means is what the store has afterwards."""
        cache: Cache = Index(str(self.root / "index.sqlite"), "0.1.0", writable=True) if self.cached else NoCache()
        tree = ManifestTree(self.settings, cache)
        declared = tree.declared(tree.refresh())
        if isinstance(cache, Index):
            cache.close()
        self.acted_on = dict(declared.sites)
        return replace(declared, held=tuple(sorted(declared.held, key=lambda hold: hold.site or "")))


def server(name: str = "home", **defaults: object) -> dict[str, object]:
    """Make a Server."""
    return document("Server", name, {"hostname": f"{name}.example.com", "defaults": defaults} if defaults else {})


def typo(one: Mapping[str, object]) -> dict[str, object]:
    """Make the same document with a field that no kind has."""
    spec = one["spec"]
    assert isinstance(spec, dict)
    return {**one, "spec": {**spec, "typo": 1}}


def unread(one: Mapping[str, object]) -> str:
    """Make the same document, which ends as no YAML."""
    return f"{yaml.safe_dump(one, sort_keys=False)}: [\n"


def digests(declared: Declared) -> dict[str, str]:
    """Give what the sites mean."""
    return {name: site.digest for name, site in declared.sites.items()}


def holds(declared: Declared) -> dict[str | None, tuple[str, str]]:
    """Give reason and message of each site that is held."""
    return {hold.site: _of(hold) for hold in declared.held}


def _of(hold: Hold) -> tuple[str, str]:
    return hold.reason.value, hold.message
