"""One hostname on one target is one site's: who had it goes on as it was, and the newcomer is held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests.lastgood.holding import Why
from reconciler.manifests.resolving import conflicts
from reconciler.manifests.resolving.proving import ascii_of
from reconciler.manifests.resolving.today import as_today, targets_of
from reconciler.model.changes import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.lastgood.memory import LastGood
    from reconciler.manifests.resolving.conflicts import Rivalry
    from reconciler.model.desired import DesiredSite


@dataclass(slots=True)
class Contest:
    """The sites of a tree, of which newcomers are put back to their last good meaning, or taken out.

    `written` are the Sites as their manifests say them; a site whose last good meaning goes on may be among them too.
    """

    sites: dict[str, DesiredSite]
    former: LastGood
    written: Mapping[str, Resource]
    problems: list[Problem] = field(default_factory=list)
    held: dict[str, Why] = field(default_factory=dict)

    def settle(self, *, lenient: bool) -> None:
        """Tell all rivals; go on until there are none if `lenient`."""
        while found := conflicts.rivals(self.sites.values(), self.former.of):
            self.problems += [self._problem(one) for one in found if one.newcomer.name not in self.held]
            if not lenient:
                break
            losers = {one.newcomer.name for one in found}
            for one in [one for one in found if one.owner.name not in losers] or found[:1]:
                self._give_way(one)

    def _give_way(self, rivalry: Rivalry) -> None:
        """Put the newcomer back to what it was; out if that is what it is."""
        name = rivalry.newcomer.name
        before = None if name in self.held else self.former.of([name]).get(name)
        self.held[name] = Why(Reason.HOSTNAME_TAKEN, self._taken(rivalry))
        del self.sites[name]
        if before is not None:
            self.sites[name] = as_today(targets_of(self.sites.values()), before)

    def _problem(self, rivalry: Rivalry) -> Problem:
        site, text = rivalry.newcomer, f"site {rivalry.newcomer.name}: {self._taken(rivalry)}"
        resource = self.written.get(site.name)
        if resource is None:
            return Problem(site.place.file, site.place.line, site.place.column, text)
        return resource.problem(_where(resource, rivalry.claim[1]), text)

    def _taken(self, rivalry: Rivalry) -> str:
        (target, hostname), owner = rivalry.claim, rivalry.owner
        resource = self.written.get(owner.name)
        place = f"{owner.place.file}:{owner.place.line}" if resource is None else conflicts.place_of(resource)
        return f"{hostname} on target {target} belongs to site {owner.name} already ({place})"


def _where(resource: Resource, hostname: str) -> tuple[str | int, ...]:
    """Give the path of a name in a Site's manifest; of its sets where it stands in one of those."""
    own = [ascii_of(name) for name in getattr(resource.spec, "hostnames", None) or ()]
    return ("spec", "hostnames", own.index(hostname)) if hostname in own else ("spec", "hostnameSets")
