"""All files of a tree together: duplicates, the Server that this machine is, sites resolved, rivals found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests import conflicts
from reconciler.manifests.builtins import builtin_objects
from reconciler.manifests.kinds.nearest import nearest
from reconciler.manifests.objects import Objects, table
from reconciler.manifests.resolve import Resolver, digest_of
from reconciler.manifests.walking import signature_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.model.desired import DesiredSite
    from reconciler.model.targets import TargetSpec


@dataclass(slots=True)
class Meaning:
    """What the files mean. `known` are last good meanings; `held` says of which sites they are still used, and why.

    `templates` are those that were read, signed before that: what is edited meanwhile is another one next time.
    """

    settings: Settings
    readings: Sequence[FileReading]
    known: Mapping[str, DesiredSite]
    sites: dict[str, DesiredSite] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def resolve(self) -> None:
        """Fill in the rest."""
        self.problems = [problem for one in self.readings for problem in one.problems]
        resources = [resource for one in self.readings for resource in one.resources]
        self.problems += conflicts.duplicates(resources, {})
        by_kind = table([*resources, *builtin_objects()])
        broken = frozenset((one.kind or "", one.name or "") for file in self.readings for one in file.invalid)
        objects = Objects(by_kind, broken=broken)
        servers = {resource.name: resource for resource in resources if resource.kind == "Server"}
        mine = self._server(servers)
        self._sites(objects, servers, mine, [one for one in resources if one.kind == "Site"])
        self._default_sites(objects, resources)
        self.problems = sorted({*self.problems, *objects.problems()})
        self._keep_known()
        self._rivals()

    def _server(self, servers: Mapping[str, Resource]) -> str | None:
        """Give the name of the Server that this machine is; None if the tree declares none."""
        wanted = self.settings.server
        if wanted is not None:
            if wanted not in servers:
                near = nearest(wanted, list(servers))
                hint = f"did you mean {near}?" if near else f"the tree has {', '.join(sorted(servers)) or 'none'}"
                self.problems.append(Problem("--server", 0, 0, f"there is no Server `{wanted}`: {hint}"))
            return wanted
        if len(servers) <= 1:
            return next(iter(servers), None)
        here = self.settings.hostname
        for name, resource in servers.items():
            if here in (name, getattr(resource.spec, "hostname", None)):
                return name
        text = f"none of the Servers is this machine ({here}): say which with --server ({', '.join(sorted(servers))})"
        self.problems.append(Problem("--server", 0, 0, text))
        return None

    def _sites(
        self, objects: Objects, servers: Mapping[str, Resource], mine: str | None, sites: Sequence[Resource]
    ) -> None:
        resolvers: dict[str | None, Resolver] = {}
        for resource in sites:
            for name in self._servers_of(resource, servers, objects):
                if name not in resolvers:
                    resolvers[name] = Resolver(objects, servers.get(name or ""), self._template)
                resolver = resolvers[name]
                before = len(resolver.problems)
                site = resolver.site(resource)
                if site is not None and name == mine:
                    self.sites[site.name] = site
                elif name == mine and (len(resolver.problems) > before or site is None):
                    self.held[resource.name] = _first(resolver.problems[before:])
        for resolver in resolvers.values():
            self.problems += resolver.problems

    def _servers_of(self, resource: Resource, servers: Mapping[str, Resource], objects: Objects) -> list[str | None]:
        named = getattr(resource.spec, "servers", None)
        if named is not None:
            for number, name in enumerate(named):
                objects.find("Server", name, resource, ("spec", "servers", number))
            return [name for name in named if name in servers]
        if len(servers) > 1:
            text = (
                f"the tree has several Servers: say `servers: [{', '.join(sorted(servers))}]`, those that it belongs to"
            )
            self.problems.append(resource.problem(("spec",), text))
            return []
        return [next(iter(servers), None)]

    def _template(self, path: str) -> str | None:
        self.templates.setdefault(path, signature_of(path))
        return self.settings.read_template(path)

    def _default_sites(self, objects: Objects, resources: Sequence[Resource]) -> None:
        names = {one.name: one for one in resources if one.kind == "Site"}
        for resource in resources:
            wanted = getattr(resource.spec, "default_site", None) if resource.kind == "Target" else None
            if wanted is not None and wanted not in names and ("Site", wanted) not in objects.broken:
                near = nearest(wanted, list(names))
                hint = f"did you mean `{near}`?" if near else "declare it, or take `defaultSite` away"
                self.problems.append(resource.problem(("spec", "defaultSite"), f"there is no Site `{wanted}`: {hint}"))

    def _keep_known(self) -> None:
        """Go on with the last good meaning of what is broken now, or refers to what is."""
        lost = [name for name in self.held if name not in self.sites and name not in self.known]
        found = self.settings.last_good(lost) if lost and self.settings.lenient else {}
        targets = {use.spec.name: use.spec for site in self.sites.values() for use in site.targets}
        for name, site in {**found, **self.known}.items():
            if name not in self.sites:
                self.sites[name] = _on_todays(targets, site)
                self.held.setdefault(name, _first([one for one in self.problems if one.file == site.place.file]))

    def _rivals(self) -> None:
        for site, (target, hostname), (other, place) in conflicts.rivals(self.sites.values(), lambda _claim: None):
            text = f"{hostname} on target {target} belongs to site {other} already ({place})"
            resource = self._resource(site)
            self.problems.append(
                resource.problem(_where(resource, hostname), f"site {site.name}: {text}")
                if resource is not None
                else Problem(site.place.file, site.place.line, site.place.column, f"site {site.name}: {text}")
            )
            self.held[site.name] = text
            if self.settings.lenient:
                del self.sites[site.name]

    def _resource(self, site: DesiredSite) -> Resource | None:
        """Give the manifest of a site; None of one whose last good meaning goes on."""
        read = (one for file in self.readings for one in file.resources)
        return next((one for one in read if one.kind == "Site" and one.name == site.name), None)


def _where(resource: Resource, hostname: str) -> tuple[str | int, ...]:
    """Give the path of a name in a Site's manifest; of its sets where it stands in one of those."""
    own = [str(name) for name in getattr(resource.spec, "hostnames", None) or ()]
    return ("spec", "hostnames", own.index(hostname)) if hostname in own else ("spec", "hostnameSets")


def _first(problems: Sequence[Problem]) -> str:
    return str(problems[0]) if problems else "something that it refers to is not valid"


def _on_todays(targets: Mapping[str, TargetSpec], site: DesiredSite) -> DesiredSite:
    """Give a last good meaning the targets as they are now for the other sites: one server has one configuration."""
    uses = tuple(replace(use, spec=targets.get(use.spec.name, use.spec)) for use in site.targets)
    if uses == site.targets:
        return site
    changed = replace(site, targets=uses)
    return replace(changed, digest=digest_of(changed))
