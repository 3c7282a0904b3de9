"""All files of a tree together: duplicates, the Server that this machine is, sites resolved, rivals found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests import conflicts
from reconciler.manifests.broken import Broken
from reconciler.manifests.builtins import builtin_objects
from reconciler.manifests.fallback import fell_back
from reconciler.manifests.kinds.nearest import nearest
from reconciler.manifests.memory import LastGood, is_below
from reconciler.manifests.objects import Objects, table
from reconciler.manifests.resolve import Resolver, digest_of
from reconciler.manifests.servers import Servers
from reconciler.manifests.walking import signature_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.servers import Mine
    from reconciler.manifests.settings import Settings
    from reconciler.model.desired import DesiredSite
    from reconciler.model.targets import TargetSpec


@dataclass(slots=True)
class Meaning:
    """What the files mean. `held` says of which sites the `former` meaning goes on, and why.

    `hidden` are problems of the tree itself, whose files cannot be seen now.
    `templates` are those that were read, signed before that: what is edited meanwhile is another one next time.
    """

    settings: Settings
    readings: Sequence[FileReading]
    former: LastGood = field(default_factory=LastGood)
    hidden: Sequence[Problem] = ()
    sites: dict[str, DesiredSite] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def resolve(self) -> None:
        """Fill in the rest."""
        self.problems = [problem for one in self.readings for problem in one.problems]
        resources = [resource for one in self.readings for resource in one.resources]
        self.problems += conflicts.duplicates(resources, {})
        broken = Broken.of(self.readings, self.hidden, {})
        builtin = [one for one in builtin_objects() if (one.kind, one.name) not in broken.named]
        objects = Objects(table([*resources, *builtin]), broken)
        good = {one.name: one for one in resources if one.kind == "Server" and ("Server", one.name) not in broken.named}
        servers = Servers(self.settings, good, broken, self.former.servers)
        mine = servers.mine()
        self.problems += [mine.problem] if mine.problem else []
        self._sites(objects, servers, mine, [one for one in resources if one.kind == "Site"])
        self._fall_back({(one.kind, one.name) for one in resources}, broken)
        self._default_sites(objects, resources)
        self.problems = sorted({*self.problems, *objects.problems()})
        self._keep_former(mine.lost)
        self._rivals()

    def _sites(self, objects: Objects, servers: Servers, mine: Mine, sites: Sequence[Resource]) -> None:
        resolvers: dict[str | None, Resolver] = {}
        for resource in sites:
            for name in self._servers_of(resource, servers, objects):
                if name is None and mine.lost:
                    continue  # its defaults cannot be told
                if name not in resolvers:
                    resolvers[name] = Resolver(objects, servers.good.get(name or ""), self._template)
                resolver = resolvers[name]
                before = len(resolver.problems)
                site = resolver.site(resource)
                if mine.lost is None and name == mine.name:
                    self._take(resource.name, site, resolver.problems[before:])
        for resolver in resolvers.values():
            self.problems += resolver.problems

    def _take(self, name: str, site: DesiredSite | None, problems: Sequence[Problem]) -> None:
        if site is None:
            self.held[name] = _first(problems)
        else:
            self.sites[name] = site

    def _servers_of(self, resource: Resource, servers: Servers, objects: Objects) -> list[str | None]:
        """Give the Servers that a site belongs to, those that are broken left out."""
        named = getattr(resource.spec, "servers", None)
        if named is not None:
            for number, name in enumerate(named):
                objects.find("Server", name, resource, ("spec", "servers", number))
            return [name for name in named if name in servers.good]
        if servers.several:
            text = (
                f"the tree has several Servers: say `servers: [{', '.join(servers.names)}]`, those that it belongs to"
            )
            self.problems.append(resource.problem(("spec",), text))
            return []
        return [next(iter(servers.good), None)]

    def _fall_back(self, declared: Collection[tuple[str, str]], broken: Broken) -> None:
        """Hold sites for which what is built in would stand for what cannot be read now."""
        if not (broken.kinds or broken.unknown):
            return
        for name, before in self.former.all().items():
            text = fell_back(self.sites[name], before, declared, broken) if name in self.sites else None
            if text is not None:
                self.held[name] = text
                del self.sites[name]

    def _template(self, path: str) -> str | None:
        self.templates.setdefault(path, signature_of(path))
        return self.settings.read_template(path)

    def _default_sites(self, objects: Objects, resources: Sequence[Resource]) -> None:
        names = {one.name: one for one in resources if one.kind == "Site"}
        for resource in resources:
            wanted = getattr(resource.spec, "default_site", None) if resource.kind == "Target" else None
            if wanted is not None and wanted not in names and ("Site", wanted) not in objects.broken.named:
                near = nearest(wanted, list(names))
                hint = f"did you mean `{near}`?" if near else "declare it, or take `defaultSite` away"
                self.problems.append(resource.problem(("spec", "defaultSite"), f"there is no Site `{wanted}`: {hint}"))

    def _keep_former(self, lost: str | None) -> None:
        """Go on with the last good meaning of what is broken, or refers to what is; of all if the Server is `lost`."""
        targets = {use.spec.name: use.spec for site in self.sites.values() for use in site.targets}
        broken = {one.path for one in self.readings if one.problems} | {problem.file for problem in self.hidden}
        wanted = self.held.keys() - self.sites.keys()
        known = self.former.all() if lost else {**self.former.of(wanted), **self.former.below(broken)}
        for name, site in known.items():
            if name not in self.sites:
                self.sites[name] = _on_todays(targets, site)
                self.held.setdefault(name, lost or self._why(site.place.file))

    def _why(self, file: str) -> str:
        return _first([one for one in (*self.problems, *self.hidden) if is_below(file, {one.file})])

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
