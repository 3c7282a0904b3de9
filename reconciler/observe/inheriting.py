"""Sites without a certificate, and the certificate for the very same names of a site that is declared no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.observed import Inherited, NoRevision, Revision
from reconciler.observe.abandoned import PRUNE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import Live, ObservedSite
    from reconciler.model.ports import Reader


def inheritances(
    reader: Reader, sites: Mapping[str, DesiredSite], seen: Mapping[str, ObservedSite], gone: Collection[str]
) -> dict[str, Inherited]:
    """Give what each site may inherit of the `gone` ones, by its name, or has inherited; of several the one made last.

    What a manifest said must not be removed is not inherited either.
    """
    if not gone:
        return {}
    by_names = _by_names(reader, gone)
    found = ((name, by_names.get(frozenset(site.names))) for name, site in sites.items())
    return {name: one for name, one in found if one is not None and _fits(seen[name].live, one)}


def _by_names(reader: Reader, gone: Collection[str]) -> Mapping[frozenset[str], Inherited]:
    meanings = reader.meaning(gone)
    kept = {name for name, meaning in meanings.items() if meaning.annotations.get(PRUNE) == "disabled"}
    found = [(name, live) for name, live in sorted(reader.live(gone).items()) if name not in kept]
    good = [(name, live) for name, live in found if isinstance(live, Revision) and not live.meta.placeholder]
    oldest_first = sorted(good, key=lambda one: one[1].meta.at)
    return {frozenset(live.facts.hostnames): Inherited(name, live) for name, live in oldest_first}


def _fits(live: Live, one: Inherited) -> bool:
    """Tell whether nothing is live, or the very certificate that is inherited."""
    same = isinstance(live, Revision) and live.facts.fingerprint == one.revision.facts.fingerprint
    return same or isinstance(live, NoRevision)
