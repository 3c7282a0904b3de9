"""What one batch of a target knows while it runs: its changes, what failed, what is ours, which revisions are live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.execute.batches.switching.blocks import SharedFiles
from reconciler.execute.remember import Concerned
from reconciler.model.changes import Change, Verb
from reconciler.model.observed import BrokenRevision, Inventory, Revision
from reconciler.model.ports import Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.execute.batches.hands.local import LocalHands
    from reconciler.execute.batches.switching.swap import Switch
    from reconciler.execute.remember import Remembering
    from reconciler.model.desired import DesiredSite, TargetSpec
    from reconciler.model.observed import Live
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Changed, Clock, Lease, SiteOnTarget, Store, Target


@dataclass(frozen=True, slots=True)
class Bench:
    """What batches work with; `verb` names the command for locks."""

    store: Store
    hands: LocalHands
    clock: Clock
    memory: Remembering
    verb: str = "apply"


@dataclass(slots=True)
class Batch:
    """One batch. `seats`: how the sites of this pass look to the target; `failed[site]`: reason and sentence.

    `rejected`: those of them whose certificate was refused and whose live pointer went back; it is remembered already.
    `beside[site]`: what was done to a site for the sake of the others, taken out or put back; remembered already too.
    `amiss[site]`: what of it somebody changed meanwhile and was put back, not remembered yet. `names`: all sites that
    are declared; `left_out` gives one that is not in this pass, with its seat.
    The site "" stands for the files that belong to the target and to no site. `in_full`: the server did not take up
    alone what changed, so it is tested and reloaded. `unbuilt`: what the target's command made was changed or is gone,
    so that nothing is known of what is served.
    """

    bench: Bench
    lease: Lease
    target: Target
    changes: tuple[Change, ...]
    seats: Mapping[str, SiteOnTarget]
    desired: Mapping[str, DesiredSite]
    names: Collection[str]
    live: Mapping[str, Live] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Outcome] = field(default_factory=dict)
    amiss: dict[str, str] = field(default_factory=dict)
    in_full: bool = False
    unbuilt: bool = False
    shared: SharedFiles = field(default_factory=SharedFiles)
    left_out: Callable[[str], tuple[DesiredSite, SiteOnTarget] | None] = lambda _site: None
    _entries: dict[str, Inventory] = field(default_factory=dict)

    @property
    def spec(self) -> TargetSpec:
        """Give the target's spec."""
        return self.target.spec

    @property
    def name(self) -> str:
        """Give the target's name."""
        return self.target.spec.name

    @property
    def reload(self) -> Change | None:
        """Give the batch's reload, if it has one."""
        return next((change for change in self.changes if change.verb is Verb.RELOAD), None)

    @property
    def files(self) -> list[Change]:
        """Give the installs and uninstalls."""
        return [change for change in self.changes if change.verb is not Verb.RELOAD]

    def entry(self, site: str) -> Inventory:
        """Give what was ours of a site when the batch began."""
        if site not in self._entries:
            self._entries[site] = self._read_entry(site)
        return self._entries[site]

    def replace_entry(self, entry: Inventory) -> None:
        """Note that what is ours of a site is another thing now."""
        self._entries[entry.site] = entry

    def _read_entry(self, site: str) -> Inventory:
        if site:
            return self.bench.store.inventory_of(self.name, site) or Inventory(site)
        record = self.bench.store.targets().get(self.name)
        return record.shared if record else Inventory("")

    def take_in(self, site: str) -> bool:
        """Take a site in that this pass left out; tell whether it is here now, and nobody wants it left as it is."""
        if site and site not in self.seats:
            found = self.left_out(site)
            if found is None:
                return False
            self.desired, self.seats = {**self.desired, site: found[0]}, {**self.seats, site: found[1]}
        if site and site not in self.live:
            self.live = {**self.live, **self.bench.store.live([site])}
        return not site or (site in self.desired and not self.desired[site].suspend)

    def concerned(self, site: str) -> Concerned:
        """Give a site as memory is written for it."""
        return Concerned(site, self.desired.get(site), left_out=site in self.names)

    def live_id(self, site: str) -> str | None:
        """Give the revision in use, None if there is no usable one."""
        live = self.live.get(site)
        return live.id if isinstance(live, Revision) else None

    def changed(self, switch: Switch) -> tuple[Changed, ...]:
        """Tell what the server has to take up; nothing in particular where it has something older to take up too."""
        touched = {change.site or "" for change in self.files}
        if self.in_full or self.unbuilt or any(self._was_behind(site, touched) for site in {*self.seats, *touched}):
            return ()
        return switch.changed(self.failed)

    def _was_behind(self, site: str, touched: Collection[str]) -> bool:
        """Tell whether the server had not loaded what a site had before this batch."""
        entry = self.entry(site)
        if site in touched:
            return entry.loaded_digest != entry.digest or entry.restored
        seen = (entry.loaded, entry.loaded_digest, entry.restored)
        return bool(entry.files) and seen != (self.live_id(site), entry.digest, False)

    def test(self, paths: list[str]) -> Tested:
        """Ask the server whether what stands there is good, after what it cannot see of the store's own files."""
        broken = self._broken_live() if self.spec.type == "apache" and self.spec.layout == "live" else None
        if broken is not None:
            why = f"the certificate of site {broken} cannot be used, and Apache would end by it"
            return Tested(ok=False, output=why, checked=True)
        return self.target.test(self.bench.hands, paths)

    def _broken_live(self) -> str | None:
        """Give a site of this target whose certificate cannot be used; the user's own configuration names its files."""
        names = {*self.seats, *self.bench.store.installed_on(self.name)}
        live = self.bench.store.live(names)
        return next((name for name in sorted(names) if isinstance(live.get(name), BrokenRevision)), None)


def in_one_line(output: str) -> str:
    """Give the first three lines of a command's output as one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(lines[:3]) or "it said nothing"
