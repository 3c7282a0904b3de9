"""`desired/SITE.json`: what a site's manifests meant last, kept although they no longer parse, or are gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.errors import HeldBy

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Declared, Store


@dataclass(frozen=True, slots=True)
class Meanings:
    """Writes meanings at the end of a pass: also of sites that need nothing else, whose annotations may have changed."""

    store: Store
    verb: str

    def __call__(self, declared: Declared) -> None:
        """Keep the meaning of each site of the pass that the store knows otherwise."""
        known = self.store.meaning(declared.sites)
        for name, site in declared.sites.items():
            if name in known and _same(known[name], site):
                continue
            try:
                with self.store.claim(f"site/{name}", self.verb, 0) as lease:
                    self.store.put_meaning(lease, site)
            except HeldBy:
                continue  # who works on it writes it; the next pass looks again


def _same(one: DesiredSite, other: DesiredSite) -> bool:
    return replace(one, place=other.place) == other
