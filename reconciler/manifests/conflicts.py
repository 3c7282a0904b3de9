"""Pure: no name twice, and one hostname on one target belongs to one site."""

from __future__ import annotations

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


def duplicates(resources: Iterable[Resource], known: Mapping[tuple[str, str], str]) -> list[Problem]:
    """Tell each (kind, name) that stands twice; `known` gives places (`file:line`) of objects read before."""
    first: dict[tuple[str, str], str] = dict(known)
    found = []
    for resource in resources:
        key = (resource.kind, resource.name)
        line, _ = resource.source.place(("metadata", "name"))
        here = f"{resource.source.file}:{line}"
        if first.setdefault(key, here) != here:
            text = f"{resource.kind} `{resource.name}` is declared already at {first[key]}"
            found.append(resource.problem(("metadata", "name"), text))
    return found


def rivals(
    sites: Iterable[DesiredSite], owner: Callable[[Claim], tuple[str, str] | None]
) -> list[tuple[DesiredSite, Claim, tuple[str, str]]]:
    """Give each site that claims what another has: (newcomer, claim, (site, place) of the one that has it).

    `owner` tells of claims of sites that are not in `sites`; among `sites` the first in order has it.
    """
    taken: dict[Claim, tuple[str, str]] = {}
    found = []
    for site in sites:
        here = (site.name, f"{site.place.file}:{site.place.line}")
        for claim in claims(site):
            other = taken.setdefault(claim, owner(claim) or here)
            if other[0] != site.name:
                found.append((site, claim, other))
                break
    return found
