"""`live/<site>`: the only mutable pointer, a relative link to a revision; and what the store knows of sites at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict
from reconciler.model.observed import BrokenRevision, NoRevision
from reconciler.store import reading
from reconciler.store.layout import REVISION_FILES, is_revision, is_segment, segments
from reconciler.store.revisions import Revisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.observed import Live
    from reconciler.model.ports import Lease

_NOTHING: Final = NoRevision()


class Pointer(Revisions):
    """Reads and moves the live pointers."""

    def sites(self) -> frozenset[str]:
        """Give every site that has a live pointer, revisions, a meaning or an inventory."""
        found = set(reading.names(self._layout.fixed("certificates")))
        live = set(reading.names(self._layout.fixed("live"))) - found
        found.update(name for name in segments(live) if self.heir(name) is None)
        found.update(reading.stems(reading.names(self._layout.fixed("desired"))))
        inventory = self._layout.fixed("inventory")
        for target in reading.names(inventory):
            found.update(reading.stems(reading.names(f"{inventory}/{target}/sites")))
        return frozenset(segments(found))

    def pointers(self) -> frozenset[str]:
        """Give every name with a live pointer, that of a renamed site too: a fifth of the cost of `sites`."""
        return frozenset(segments(reading.names(self._layout.fixed("live"))))

    def live(self, sites: Iterable[str]) -> Mapping[str, Live]:
        """Give what is in use, judged: pair, dates readable, complete. About 0.15 ms a site."""
        return {site: self._live(site) for site in sites}

    def live_name(self, site: str) -> str | None:
        """Give the id of the live revision, not judged; None if nothing is live, empty if the link is not ours.

        Nothing is live of a site that was renamed, although its pointer leads on to that of its heir.
        """
        text = reading.link(self._layout.live(site))
        if text is None or _heir(text) is not None:
            return None
        beginning, _, name = text.rpartition("/")
        return name if beginning == f"../certificates/{site}" and is_revision(name) else ""

    def heir(self, site: str) -> str | None:
        """Give the name that a site was renamed to, while its pointer still leads there."""
        return _heir(reading.link(self._layout.live(site)))

    def live_path(self, site: str) -> str:
        """Give the directory by which servers read a site's key and chain; the same for every revision."""
        return self._layout.live(site)

    def paths_of(self, site: str) -> tuple[str, ...]:
        """Give the store's own paths whose stat (`lstat`) tells whether anything about the site changed."""
        link, name, orders = self._layout.live(site), self.live_name(site), self._layout.orders(site)
        own = (
            link,
            f"{self._layout.root}/certificates/{site}",
            self._layout.status(site),
            f"{orders}/order.json" if reading.exists(orders) else orders,
            *self._inventories_of(site),
        )
        if not name:
            return own
        folder = f"{self._layout.root}/certificates/{site}/{name}"
        return (*own, *(f"{folder}/{file}" for file in REVISION_FILES))

    def renamed_only(self) -> tuple[str, ...]:
        """Give the directories whose files are changed by renames alone, so that their own stat tells of it."""
        inventories = sorted(segments(reading.names(self._layout.fixed("inventory"))))
        flat = [self._layout.fixed(name) for name in ("live", "status", "orders")]
        return (*flat, *(f"{self._layout.fixed('inventory')}/{target}/sites" for target in inventories))

    def _inventories_of(self, site: str) -> list[str]:
        targets = sorted(segments(reading.names(self._layout.fixed("inventory"))))
        paths = (self._layout.inventory_of(target, site) for target in targets)
        return [path for path in paths if reading.exists(path)]

    def activate(self, lease: Lease, site: str, revision: str, expected: str | None) -> None:
        """Move the live pointer if it still is `expected`, else Conflict.

        None: nothing live; a link that is not ours has the id "". Conflict too if the revision is not whole.
        """
        self._check(lease, f"site/{site}")
        now = self.live_name(site)
        if now != expected:
            raise Conflict(
                f"the live revision of {site} is {now or 'none'}, no longer {expected or 'none'}; nothing was changed"
            )
        folder = self._layout.revision(site, revision)
        missing = [name for name in REVISION_FILES if not reading.exists(f"{folder}/{name}")]
        if missing:
            raise Conflict(
                f"revision {revision} of {site} has no {missing[0]}, so it cannot go live; nothing was changed"
            )
        if now != revision:
            self._scratch.link(self._layout.live(site), f"../certificates/{site}/{revision}")
            self._ledger.touched(site)

    def _live(self, site: str) -> Live:
        name = self.live_name(site)
        if name is None:
            return _NOTHING
        if not name:
            return BrokenRevision("", "Corrupt", f"live/{site} is not a link to a revision of {site}")
        return self.judged(site, name)


def _heir(text: str | None) -> str | None:
    beginning, _, name = (text or "").rpartition("/")
    return name if beginning == "../live" and is_segment(name) else None
