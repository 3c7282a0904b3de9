"""The objects of a tree by kind and name, and what is said of a name that is not among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.manifests.kinds.nearest import nearest
from reconciler.manifests.lastgood.broken import Broken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.text.source import Path


@dataclass(slots=True)
class Missing:
    """One name that is referred to and not declared: the first place, and how many there are."""

    resource: Resource
    path: Path
    text: str
    hint: str
    count: int = 0

    def told(self) -> Problem:
        """Tell of it, at its first place."""
        again = f" ({self.count} references)" if self.count > 1 else ""
        return self.resource.problem(self.path, f"{self.text}{again}: {self.hint}")


@dataclass(slots=True)
class Objects:
    """All objects by kind and name, of which `broken` ones cannot be referred to.

    `missing` collects references to nothing, one entry a name; `lost` counts all that lead nowhere, `blamed` says why
    the last of them does.
    """

    by_kind: Mapping[str, Mapping[str, Resource]]
    broken: Broken = field(default_factory=Broken)
    missing: dict[tuple[str, str], Missing] = field(default_factory=dict)
    lost: int = 0
    blamed: str = ""

    def find(self, kind: str, name: str, referrer: Resource, path: Path) -> Resource | None:
        """Give the object; None if it is broken, or if there is none, which is noted."""
        text = self.broken.named.get((kind, name))
        found = None if text else self.by_kind.get(kind, {}).get(name)
        if found is not None:
            return found
        self.lost += 1
        self.blamed = text or self._missed(kind, name, referrer, path)
        return None

    def problems(self) -> list[Problem]:
        """Tell each missing name once."""
        return [missing.told() for missing in self.missing.values()]

    def _missed(self, kind: str, name: str, referrer: Resource, path: Path) -> str:
        """Note a reference to nothing; give what is said of this one."""
        missing = self.missing.get((kind, name))
        if missing is None:
            missing = self.missing[kind, name] = Missing(
                referrer, path, f"there is no {kind} `{name}`", self._hint(kind, name)
            )
        missing.count += 1
        return str(referrer.problem(path, f"{missing.text}: {missing.hint}"))

    def _hint(self, kind: str, name: str) -> str:
        known = sorted(self.by_kind.get(kind, {}))
        near = nearest(name, known)
        if near:
            return f"did you mean `{near}`?"
        return f"there are {', '.join(known[:10])}" if known else "there are none"


def table(resources: Iterable[Resource]) -> dict[str, dict[str, Resource]]:
    """Sort resources by kind and name; the first of a name wins, so built-in ones come last."""
    found: dict[str, dict[str, Resource]] = {}
    for resource in resources:
        found.setdefault(resource.kind, {}).setdefault(resource.name, resource)
    return found
