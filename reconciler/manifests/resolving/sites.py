"""The Sites of a tree, each resolved on all of its Servers; what they mean on this machine's is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.manifests.lastgood.holding import UNTOLD, Why, invalid
from reconciler.manifests.resolving.site import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.resolving.objects import Objects
    from reconciler.manifests.resolving.servers import Mine, Servers
    from reconciler.model.desired import DesiredSite


@dataclass(slots=True)
class Sites:
    """Resolves Sites one by one. `held` are those that may be this machine's and have no meaning, and why."""

    objects: Objects
    servers: Servers
    mine: Mine
    read_template: Callable[[str], str | None]
    meanings: dict[str, DesiredSite] = field(default_factory=dict)
    held: dict[str, Why] = field(default_factory=dict)
    _flaws: list[Problem] = field(default_factory=list)
    _resolvers: dict[str | None, Resolver] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """Give all that was found wrong, references to nothing left out."""
        return [*self._flaws, *(problem for one in self._resolvers.values() for problem in one.problems)]

    def take(self, resource: Resource) -> None:
        """Resolve a Site, unless it is declared twice."""
        belongs, flaw = self._belongs(resource)
        twice = self.objects.broken.named.get(("Site", resource.name))
        if twice is None:
            self._resolve(resource, belongs)
        text = twice if self._is_mine(belongs) else flaw
        if text is not None and self.mine.lost is None:
            self.held[resource.name] = invalid(text)

    def _is_mine(self, belongs: Collection[str | None]) -> bool:
        return self.mine.lost is None and self.mine.name in belongs

    def _resolve(self, resource: Resource, belongs: Sequence[str | None]) -> None:
        for name in belongs:
            if name not in self._resolvers:
                self._resolvers[name] = Resolver(self.objects, self.servers.good.get(name or ""), self.read_template)
            resolver = self._resolvers[name]
            self.objects.blamed, before = "", len(resolver.problems)
            site = resolver.site(resource)
            if not self._is_mine((name,)):
                continue
            if site is not None:
                self.meanings[site.name] = site
            else:
                told = next((str(one) for one in resolver.problems[before:]), self.objects.blamed)
                self.held[resource.name] = invalid(told or UNTOLD)

    def _belongs(self, site: Resource) -> tuple[list[str | None], str | None]:
        """Give the Servers that a site belongs to, without broken and missing ones; and why that may not be all."""
        named = getattr(site.spec, "servers", None)
        if named is not None:
            return self._named(site, named)
        if self.servers.several:
            names = ", ".join(self.servers.names)
            text = f"the tree has several Servers: say `servers: [{names}]`, those that it belongs to"
            self._flaws.append(site.problem(("spec",), text))
            return [], str(self._flaws[-1])
        name = next(iter(self.servers.good), None)
        return ([] if name is None and self.mine.lost else [name]), None  # of a lost one the defaults cannot be told

    def _named(self, site: Resource, names: Sequence[str]) -> tuple[list[str | None], str | None]:
        found: list[str | None] = []
        flaw = None
        for at, name in enumerate(names):
            if self.objects.find("Server", name, site, ("spec", "servers", at)) is not None:
                found.append(name)
            elif name not in self.servers.names:
                flaw = flaw or self.objects.broken.hides("Server") or self.objects.blamed
        return found, flaw
