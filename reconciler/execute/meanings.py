"""What is kept at the end of a pass: the meaning of each site's manifests, and no more revisions than are needed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import HeldBy

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import ObservedSite, World
    from reconciler.model.ports import Declared, Store

_SETTLED: Final = 2
_CHANGING: Final = 3


@dataclass(frozen=True, slots=True)
class Meanings:
    """Writes `desired/SITE.json`, also of sites that need nothing else: their annotations may have changed.

    What is kept there outlives a file that no longer parses, or is gone. Old revisions go to the archive.
    """

    store: Store
    verb: str

    def __call__(self, declared: Declared, world: World) -> None:
        """Keep what this pass saw. A site that another process works on is left to it, and to the next pass."""
        known = self.store.meaning(declared.sites)
        for name, site in declared.sites.items():
            if name in world.sites and world.sites[name].damage:
                continue
            stale = name not in known or not _same(known[name], site)
            surplus = _surplus(world.sites.get(name))
            if stale or surplus is not None:
                with suppress(HeldBy), self.store.claim(f"site/{name}", self.verb, 0) as lease:
                    if stale:
                        self.store.put_meaning(lease, site)
                    if surplus is not None:
                        self.store.trim(lease, name, surplus, _loaded(world.sites[name]))


def _same(one: DesiredSite, other: DesiredSite) -> bool:
    return replace(one, place=other.place) == other


def _surplus(seen: ObservedSite | None) -> int | None:
    """Give how many revisions stay, None if there are no more: two, three until the servers took up the live one."""
    if seen is None or seen.live.type != "revision":
        return None
    taken_up = _loaded(seen) <= {seen.live.id}
    keep = _SETTLED if taken_up and all(one.ok for one in seen.memory.served.values()) else _CHANGING
    return keep if len(seen.others) >= keep else None


def _loaded(seen: ObservedSite) -> frozenset[str]:
    entries = (on.inventory for on in seen.on.values())
    return frozenset(entry.loaded for entry in entries if entry is not None and entry.loaded is not None)
