"""A last good meaning among the meanings of today: one server has one configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.manifests.resolving.site import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.desired import DesiredSite
    from reconciler.model.targets import TargetSpec


def targets_of(sites: Iterable[DesiredSite]) -> dict[str, TargetSpec]:
    """Give the targets that sites use, by name."""
    return {use.spec.name: use.spec for site in sites for use in site.targets}


def as_today(targets: Mapping[str, TargetSpec], site: DesiredSite) -> DesiredSite:
    """Give a meaning with the targets as they are now for other sites."""
    uses = tuple(replace(use, spec=targets.get(use.spec.name, use.spec)) for use in site.targets)
    if uses == site.targets:
        return site
    changed = replace(site, targets=uses)
    return replace(changed, digest=digest_of(changed))
