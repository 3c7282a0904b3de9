"""Pure: no name twice, and one hostname on one target belongs to one site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.model.desired import DesiredSite

Claim = tuple[str, str]
"""A target's name and a hostname."""


def claims(site: DesiredSite) -> list[Claim]:
    """Give what a site takes for itself."""
    return [(use.spec.name, hostname) for use in site.targets for hostname in site.names]


def duplicates(resources: Iterable[Resource]) -> dict[tuple[str, str], list[Problem]]:
    """Tell each (kind, name) that stands twice: a problem at each place but the first."""
    found: dict[tuple[str, str], list[Resource]] = {}
    for resource in resources:
        found.setdefault((resource.kind, resource.name), []).append(resource)
    return {key: [_again(one, some[0]) for one in some[1:]] for key, some in found.items() if len(some) > 1}


def _again(one: Resource, first: Resource) -> Problem:
    text = f"{one.kind} `{one.name}` is declared already at {place_of(first)}"
    return one.problem(("metadata", "name"), text)


def place_of(resource: Resource) -> str:
    """Give `file:line` of an object's name. Reads its text."""
    line, _ = resource.source.place(("metadata", "name"))
    return f"{resource.source.file}:{line}"


@dataclass(frozen=True, slots=True)
class Rivalry:
    """A site that claims what the `owner` has."""

    newcomer: DesiredSite
    claim: Claim
    owner: DesiredSite


def rivals(sites: Iterable[DesiredSite], former: Callable[[Iterable[str]], Mapping[str, DesiredSite]]) -> list[Rivalry]:
    """Give each site that claims what another has, once. Who had it by `former` meanings has it, else the first."""
    claimed: dict[Claim, list[DesiredSite]] = {}
    for site in sites:
        for claim in claims(site):
            claimed.setdefault(claim, []).append(site)
    contested = {claim: some for claim, some in claimed.items() if len({site.name for site in some}) > 1}
    before = former({site.name for some in contested.values() for site in some}) if contested else {}
    found: dict[str, Rivalry] = {}
    for claim, some in contested.items():
        owner = next((one for one in some if one.name in before and claim in claims(before[one.name])), some[0])
        for one in some:
            if one.name != owner.name:
                found.setdefault(one.name, Rivalry(one, claim, owner))
    return list(found.values())
