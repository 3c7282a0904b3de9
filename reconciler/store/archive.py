"""`archive/<site>/<revision>/`: out of use, kept for 30 days, then gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.observed import Revision
from reconciler.store import atomic, reading
from reconciler.store.layout import is_revision, segment, segments
from reconciler.store.meaning import Meanings
from reconciler.store.orders import Orders
from reconciler.store.pointer import Pointer
from reconciler.store.status import Memories

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from reconciler.model.ports import Lease

KEPT: Final = timedelta(days=30)


class Archive(Pointer, Orders, Memories, Meanings):
    """Takes revisions and whole sites out of use. Each step may be the last; doing it again finishes it."""

    def archive(self, lease: Lease, site: str, heir: str | None = None) -> None:
        """Take a whole site out of use: its revisions go to `archive/`, kept 30 days.

        Pointer, order, memory and meaning are deleted; what is still to be undone for it stays. With an `heir`, the
        name that the site has now, the pointer leads on to that one's for 30 days.
        """
        self._check(lease, f"site/{site}")
        # the pointer first, so that it never dangles; the meaning last, so that a site half gone is still known
        if heir is not None:
            self._scratch.link(self._layout.live(site), f"../live/{segment(heir)}")
        else:
            atomic.remove(self._layout.live(site))
        self._forget_order(site, keep_key=False)
        self._drop_memory(site)
        for name in self.revision_names(site):
            self._put_away(site, name)
        atomic.remove_directory(self._layout.certificates(site))
        atomic.remove(self._layout.desired(site))
        self._ledger.touched(site)

    def archived(self, sites: Iterable[str]) -> Mapping[str, tuple[Revision, ...]]:
        """Give the valid revisions in the archive, newest first; no site that has none."""
        present = frozenset(reading.names(self._layout.fixed("archive")))
        found = ((site, tuple(self._archived(site))) for site in sites if site in present)
        return {site: revisions for site, revisions in found if revisions}

    def _archived(self, site: str) -> Iterator[Revision]:
        folder = self._layout.archive(site)
        for name in sorted(filter(is_revision, reading.names(folder)), reverse=True):
            judged = self._judged(f"{folder}/{name}", name)
            if isinstance(judged, Revision):
                yield judged

    def unarchive(self, lease: Lease, site: str, revision: str) -> None:
        """Take a revision back out of the archive; nothing happens if it is not there."""
        self._check(lease, f"site/{site}")
        kept = self._layout.archived(site, revision)
        if reading.exists(kept):
            atomic.make_directory(self._layout.certificates(site))
            atomic.move(kept, self._layout.revision(site, revision))

    def trim(self, lease: Lease, site: str, keep: int, needed: Collection[str]) -> None:
        """Archive all but the newest `keep` revisions; never the live one, nor those in `needed`."""
        self._check(lease, f"site/{site}")
        live = self.live_name(site)
        # ids tell seconds: of those made within one, the live one is the newest
        names = sorted(self.revision_names(site), key=lambda name: (name.partition("-")[0], name == live), reverse=True)
        surplus = [name for name in names[max(keep, 0) :] if name not in {*needed, live}]
        for name in surplus:
            self._put_away(site, name)
        if surplus:
            self._ledger.touched(site)

    def sweep(self, lease: Lease, site: str, now: datetime, needed: Collection[str]) -> int:
        """Delete what was archived of a site over 30 days ago, but no revision in `needed`; give how many."""
        self._check(lease, f"site/{site}")
        old = [name for name in self._expired_of(site, now) if name not in needed]
        for name in old:
            if name:
                atomic.remove_tree(self._layout.archived(site, name))
            else:
                atomic.remove(self._layout.live(site))
        atomic.remove_directory(self._layout.archive(site))
        return len(old)

    def expired(self, now: datetime) -> frozenset[str]:
        """Give the sites of which something was archived over 30 days ago; opens nothing but directories."""
        archived = frozenset(segments(reading.names(self._layout.fixed("archive"))))
        live = set(reading.names(self._layout.fixed("live")))
        renamed = segments(live - set(reading.names(self._layout.fixed("certificates"))))
        return frozenset(site for site in (archived | {*renamed}) if self._expired_of(site, now))

    def _expired_of(self, site: str, now: datetime) -> list[str]:
        """Give the revisions in the archive for over 30 days; an empty one is the pointer of a site renamed then."""
        before, folder = (now - KEPT).timestamp(), self._layout.archive(site)
        rows = [(name, reading.changed_at(f"{folder}/{name}")) for name in filter(is_revision, reading.names(folder))]
        if self.heir(site) is not None:
            rows.append(("", reading.changed_at(self._layout.live(site))))
        return [name for name, since in rows if since is not None and since < before]

    def _put_away(self, site: str, name: str) -> None:
        atomic.make_directory(self._layout.archive(site))
        atomic.move(self._layout.revision(site, name), self._layout.archived(site, name))
