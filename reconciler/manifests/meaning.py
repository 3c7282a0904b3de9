"""All files of a tree together: duplicates, the Server that this machine is, sites resolved, rivals found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.manifests.kinds.nearest import nearest
from reconciler.manifests.lastgood.broken import Broken
from reconciler.manifests.lastgood.fallback import BUILT_IN, fell_back
from reconciler.manifests.lastgood.holding import UNTOLD, invalid
from reconciler.manifests.lastgood.memory import LastGood, and_above
from reconciler.manifests.resolving import conflicts
from reconciler.manifests.resolving.builtins import builtin_objects
from reconciler.manifests.resolving.objects import Objects, table
from reconciler.manifests.resolving.rivalry import Contest
from reconciler.manifests.resolving.servers import Servers
from reconciler.manifests.resolving.sites import Sites
from reconciler.manifests.resolving.today import as_today, targets_of
from reconciler.manifests.walking import UNREAD, signature_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.lastgood.holding import Why
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.model.desired import DesiredSite


@dataclass(slots=True)
class Meaning:
    """What the files mean. `held` says of which sites the `former` meaning goes on, and why.

    `hidden` are problems of the tree itself, whose files cannot be seen now.
    `nameless` is what is wrong with objects that cannot be named, so that no site's hold may tell of it.
    `templates` are those that were read, signed before that: what is edited meanwhile is another one next time. What
    could not be read has a signature that no file has.
    """

    settings: Settings
    readings: Sequence[FileReading]
    former: LastGood = field(default_factory=LastGood)
    hidden: Sequence[Problem] = ()
    sites: dict[str, DesiredSite] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    held: dict[str, Why] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    nameless: list[str] = field(default_factory=list)

    def resolve(self) -> None:
        """Fill in the rest."""
        resources = [resource for one in self.readings for resource in one.resources]
        broken = self._broken(resources)
        self.nameless = broken.nameless()
        good = [one for one in resources if (one.kind, one.name) not in broken.named]
        builtin = [one for one in builtin_objects() if (one.kind, one.name) not in broken.named]
        objects = Objects(table([*good, *builtin]), broken)
        servers = Servers(self.settings, objects.by_kind.get("Server", {}), broken, self.former.servers)
        mine = servers.mine()
        self.problems += [mine.problem] if mine.problem else []
        self._sites(Sites(objects, servers, mine, self._template), resources)
        self._fall_back({(one.kind, one.name) for one in good}, broken)
        self.problems = sorted({*self.problems, *self._default_sites(objects, good), *objects.problems()})
        self._keep_former(broken, mine.lost, several=servers.several)
        self._rivals(good)

    def _broken(self, resources: Sequence[Resource]) -> Broken:
        """Tell what is wrong with single files, and what is declared twice; give all of that."""
        twice = conflicts.duplicates(resources)
        self.problems = [problem for one in self.readings for problem in one.problems]
        self.problems += [problem for found in twice.values() for problem in found]
        return Broken.of(self.readings, self.hidden, {key: str(found[0]) for key, found in twice.items()})

    def _sites(self, sites: Sites, resources: Sequence[Resource]) -> None:
        for resource in resources:
            if resource.kind == "Site":
                sites.take(resource)
        self.sites, self.held = sites.meanings, sites.held
        self.problems += sites.problems

    def _template(self, path: str) -> str | None:
        self.templates.setdefault(path, signature_of(path))
        try:
            return self.settings.read_template(path)
        except ValueError:
            # what hinders may stand elsewhere, as the mode of a directory above it: tried again by each reading
            self.templates[path] = UNREAD
            raise

    def _fall_back(self, declared: Collection[tuple[str, str]], broken: Broken) -> None:
        """Hold sites for which what is built in would stand for what cannot be read now."""
        if not any(map(broken.may_be, BUILT_IN)):
            return
        for name, before in self.former.all().items():
            text = fell_back(self.sites[name], before, declared, broken) if name in self.sites else None
            if text is not None:
                self.held[name] = invalid(text)
                del self.sites[name]

    @staticmethod
    def _default_sites(objects: Objects, resources: Sequence[Resource]) -> Iterator[Problem]:
        names = {one.name: one for one in resources if one.kind == "Site"}
        for resource in resources:
            wanted = getattr(resource.spec, "default_site", None) if resource.kind == "Target" else None
            if wanted is not None and wanted not in names and ("Site", wanted) not in objects.broken.named:
                near = nearest(wanted, list(names))
                hint = f"did you mean `{near}`?" if near else "declare it, or take `defaultSite` away"
                yield resource.problem(("spec", "defaultSite"), f"there is no Site `{wanted}`: {hint}")

    def _keep_former(self, broken: Broken, lost: str | None, *, several: bool) -> None:
        """Go on with the last good meaning of what is broken, or refers to what is; of all if the Server is `lost`."""
        named = broken.names("Site")
        wanted = {*self.held, *named} - self.sites.keys()
        known = self.former.of(wanted)
        # one that is broken and was not there before may be any of those that are not there now
        strange = (named.get(name) or self.held[name].text for name in sorted(wanted - known.keys()))
        hidden = lost or broken.hides("Site") or next(strange, None)
        known = self.former.all() if hidden else known
        today, wrong = targets_of(self.sites.values()), self._wrong()
        for name in sorted(known.keys() - self.sites.keys()):
            self.sites[name] = as_today(today, known[name])
            told = lost or named.get(name) or _wrong_in(known[name].place.file, wrong) or hidden or UNTOLD
            self.held.setdefault(name, invalid(told))
        for name in () if several else named.keys() - self.sites.keys():
            self.held.setdefault(name, invalid(named[name]))  # of several Servers it may be another's

    def _wrong(self) -> Mapping[str, tuple[int, Problem]]:
        """Give the first problem of each path, with its place among all."""
        found: dict[str, tuple[int, Problem]] = {}
        for at, one in enumerate((*self.problems, *self.hidden)):
            found.setdefault(one.file, (at, one))
        return found

    def _rivals(self, good: Sequence[Resource]) -> None:
        written = {one.name: one for one in good if one.kind == "Site"}
        contest = Contest(self.sites, self.former, written)
        contest.settle(lenient=self.settings.lenient)
        self.problems += contest.problems
        self.held |= contest.held


def _wrong_in(file: str, wrong: Mapping[str, tuple[int, Problem]]) -> str | None:
    """Give the first problem of a file, or of a directory that it stands below."""
    found = [wrong[path] for path in and_above(file) if path in wrong]
    return str(min(found)[1]) if found else None
