"""`imports/<site>/<revision>/`: copies of what `certwright import` brought, which the site's manifest names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.store import atomic, reading
from reconciler.store.layout import IMPORT_FILES, is_revision
from reconciler.store.part import Part

if TYPE_CHECKING:
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

    def _import_names(self, site: str) -> list[str]:
        return sorted(filter(is_revision, reading.names(self._layout.imports(site))))
