"""`desired/<site>.json`: the last valid meaning of a site's manifests, with its targets and issuers.

It survives a file that does not parse any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.desired import DesiredSite
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.ports import Lease


class Meanings(Part):
    """Reads and writes meanings; a damaged one is as none, since the manifests hold the truth."""

    def meaning(self, sites: Iterable[str]) -> Mapping[str, DesiredSite]:
        """Give the last valid meaning of each site's manifests."""
        found = ((site, self._load_or_none(DesiredSite, self._layout.desired(site))) for site in sites)
        return {site: meaning for site, meaning in found if meaning is not None}

    def put_meaning(self, lease: Lease, site: DesiredSite) -> None:
        """Keep the meaning of a site's manifests; the same one again is not written."""
        self._check(lease, f"site/{site.name}", "run")
        self._save(self._layout.desired(site.name), site, durable=False)
