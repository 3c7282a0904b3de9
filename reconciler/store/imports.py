"""`imports/<site>/<revision>/`: copies of what `certwright import` brought, which the site's manifest names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.store import atomic, reading
from reconciler.store.archive import KEPT
from reconciler.store.layout import IMPORT_FILES, is_revision, segments
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Bundle, Lease

KEY, FULLCHAIN = IMPORT_FILES
_FINGERPRINT_SHOWN: Final = 8


class Imports(Part):
    """Each pair has a folder of its own, that appears by one rename: the manifest moves from one to the next."""

    def put_import(self, lease: Lease, site: str, bundle: Bundle) -> str:
        """Keep a copy and give its folder; of a pair that is there already, that folder."""
        self._check(lease, f"site/{site}")
        facts = x509.check_pair(bundle.certificate, bundle.key)
        short = facts.fingerprint[:_FINGERPRINT_SHOWN]
        files = {KEY: bundle.key.reveal(), FULLCHAIN: bundle.fullchain}
        for name in self._import_names(site):
            folder = self._layout.imported(site, name)
            if all(reading.read(f"{folder}/{file}") == data for file, data in files.items()):
                return folder
        taken, now = set(self._import_names(site)), f"{self._ground.clock.now():%Y%m%dT%H%M%SZ}-{short}"
        number, name = 1, now
        while name in taken:
            number += 1
            name = f"{now}-{number}"
        atomic.make_directory(self._layout.imports(site))
        self._scratch.write_directory(self._layout.imported(site, name), files)
        return self._layout.imported(site, name)

    def drop_imports(self, lease: Lease, site: str, keep: str | None) -> None:
        """Delete a site's copies but the one in the folder `keep`."""
        self._check(lease, f"site/{site}")
        for name in self._import_names(site):
            folder = self._layout.imported(site, name)
            if folder != keep:
                atomic.remove_tree(folder)
        if keep is None:
            atomic.remove_directory(self._layout.imports(site))

    def old_imports(self, now: datetime) -> frozenset[str]:
        """Give the sites whose copies were made over 30 days ago."""
        root, before = self._layout.fixed("imports"), (now - KEPT).timestamp()
        found = {site: reading.changed_at(f"{root}/{site}") for site in segments(reading.names(root))}
        return frozenset(site for site, since in found.items() if since is not None and since < before)

    def sweep_imports(self, sites: Collection[str], meanings: Collection[DesiredSite]) -> None:
        """Delete the copies of these sites, which are there no more; not those that another one's meaning names."""
        self._must_be_writable()
        named = [path for one in meanings if one.brought is not None for path in one.brought.files]
        for site in sites:
            folder = self._layout.imports(site)
            if not any(path.startswith(f"{folder}/") for path in named):
                atomic.remove_tree(folder)

    def _import_names(self, site: str) -> list[str]:
        return sorted(filter(is_revision, reading.names(self._layout.imports(site))))
