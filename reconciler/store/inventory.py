"""`inventory/<target>/`: the files that are ours in a target, the target as last installed, a switch in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict, NewerStore, StoreError
from reconciler.model.observed import Inventory, TargetRecord
from reconciler.store import atomic, reading
from reconciler.store.layout import segments
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.model.ports import Lease

# the former bytes of ten thousand sites' files fit
_MOST_SWITCH: Final = 512 * 1024 * 1024


class Inventories(Part):
    """Reads and writes what is installed. A damaged record is none, and told: it tells our files from others'."""

    def inventory(self, target: str) -> Mapping[str, Inventory]:
        """Give what is ours in a target, by site."""
        found = ((site, self.inventory_of(target, site)) for site in sorted(self.installed_on(target)))
        return {site: entry for site, entry in found if entry is not None}

    def installed_on(self, target: str) -> frozenset[str]:
        """Give the sites of which a target has a record, unread."""
        return frozenset(segments(reading.stems(reading.names(f"{self._layout.inventory(target)}/sites"))))

    def inventory_of(self, target: str, site: str) -> Inventory | None:
        """Give what is ours of one site in a target."""
        return self._load_or_none(Inventory, self._layout.inventory_of(target, site))

    def lost(self, target: str, site: str) -> str:
        """Say what became of the record of one site in a target; empty where it is good, or there is none.

        Of what is no file at all `damage` tells.
        """
        path = self._layout.inventory_of(target, site)
        if not reading.exists(path) or not reading.is_plain(path):
            return ""
        return self._damage_of(Inventory, path, f"which files of site {site} on {target} are ours")

    def lost_targets(self, good: Collection[str] = ()) -> Mapping[str, str]:
        """Give the targets whose own record is damaged, each with one sentence; `good` ones were read already."""
        names = (name for name in self._target_names() if name not in good)
        paths = ((name, f"{self._layout.inventory(name)}/target.json") for name in names)
        found = ((name, self._damage_of(TargetRecord, path, f"how {name} is tested")) for name, path in paths)
        return {name: text for name, text in found if text}

    def _damage_of(self, kind: type, path: str, what: str) -> str:
        try:
            self._load(kind, path)
        except NewerStore:
            raise
        except StoreError as error:
            return f"{error}; nothing else tells {what}"
        return ""

    def targets(self) -> Mapping[str, TargetRecord]:
        """Give every target as it was last installed."""
        paths = ((name, f"{self._layout.inventory(name)}/target.json") for name in self._target_names())
        found = ((name, self._load_or_none(TargetRecord, path)) for name, path in paths)
        return {name: record for name, record in found if record is not None}

    def loaded(self) -> frozenset[str]:
        """Give every revision that some server had loaded at its last good reload."""
        entries = (entry for target in self._target_names() for entry in self.inventory(target).values())
        return frozenset(entry.loaded for entry in entries if entry.loaded is not None)

    def switching(self, target: str) -> bytes | None:
        """Give the record of a switch that was left half-way, None if there is none."""
        return reading.read(f"{self._layout.inventory(target)}/switch.json", _MOST_SWITCH)

    def put_inventory(self, lease: Lease, target: str, entries: Mapping[str, Inventory | None]) -> None:
        """Keep what is ours in a target; None removes an entry."""
        self._check(lease, f"target/{target}")
        self._make(target)
        for site, entry in entries.items():
            path = self._layout.inventory_of(target, site)
            if entry is None:
                atomic.remove(path)
            else:
                self._save(path, entry)
            self._ledger.touched(site)

    def put_target(self, lease: Lease, record: TargetRecord) -> None:
        """Keep a target as installed."""
        self._check(lease, f"target/{record.spec.name}")
        self._make(record.spec.name)
        self._save(f"{self._layout.inventory(record.spec.name)}/target.json", record)

    def drop_target(self, lease: Lease, target: str) -> None:
        """Forget a target whose inventory is empty; Conflict if it is not, or a switch is left half-way."""
        self._check(lease, f"target/{target}")
        folder = self._layout.inventory(target)
        left = reading.stems(reading.names(f"{folder}/sites"))
        if left or reading.exists(f"{folder}/switch.json"):
            what = f"{len(left)} sites are installed there" if left else "a switch is half-way"
            raise Conflict(f"target {target} cannot be forgotten: {what}; nothing was changed")
        atomic.remove_directory(f"{folder}/sites")
        atomic.remove(f"{folder}/target.json")
        atomic.remove_directory(folder)

    def put_switch(self, lease: Lease, target: str, record: bytes | None) -> None:
        """Write down a switch (former bytes, new digests) before it is made; None once it is over."""
        self._check(lease, f"target/{target}")
        path = f"{self._layout.inventory(target)}/switch.json"
        if record is None:
            atomic.remove(path)
            return
        self._make(target)
        self._scratch.write(path, record)

    def _target_names(self) -> list[str]:
        return sorted(segments(reading.names(self._layout.fixed("inventory"))))

    def _make(self, target: str) -> None:
        folder = self._layout.inventory(target)
        if not reading.exists(f"{folder}/sites"):
            atomic.make_directory(folder)
            atomic.make_directory(f"{folder}/sites")
