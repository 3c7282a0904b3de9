"""One target in one pass: what its sites want there, what is ours there, and whose each path is."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.model.changes import Reason
from reconciler.model.names import Part
from reconciler.model.observed import FileChange, LastFailure, OnTarget
from reconciler.model.ports import Refusal
from reconciler.observe.installed import Case, Holder, compared, leaving
from reconciler.observe.sharing import sharer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import FileFact, Inventory, Live
    from reconciler.model.ports import Artifact, Reader, SiteOnTarget, Target
    from reconciler.observe.disk import Disk


def _heals(fact: FileFact) -> bool:
    """Tell whether a damaged record may say of a file that it is ours: it holds already what is wanted.

    Where one is missing, ours may stand where a former manifest wanted it.
    """
    return fact.part is Part.TASK or fact.change in (FileChange.NONE, FileChange.UPDATE)


class TargetView:
    """`seats`: the sites of this pass that use the target; `looked_at`: all sites of this pass; `declared`: all names.

    `target` is None where only its record is left: then nothing is wanted there, and `spec` is as last installed.
    `beside` are the pass's other targets: one that has a new name takes its files over, and they are not taken away for
    the old one.
    """

    def __init__(  # noqa: PLR0913  one pass has this many facts
        self,
        name: str,
        target: Target | None,
        reader: Reader,
        seats: Mapping[str, SiteOnTarget],
        *,
        looked_at: frozenset[str],
        declared: frozenset[str],
        whole: bool,
    ) -> None:
        """`whole`: this pass looks at every declared site, so that all inventories are read at once."""
        self.name, self.target, self.seats = name, target, seats
        self._reader, self._looked_at, self._declared, self._whole = reader, looked_at, declared, whole
        self.beside: Collection[TargetView] = ()
        self.spec: TargetSpec | None = None if target is None else target.spec
        self._sharers: dict[str, Holder | None] = {}

    @cached_property
    def rendered(self) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """What the sites of this pass want."""
        return self.target.render(tuple(self.seats.values())) if self.target and self.seats else {}

    @cached_property
    def shared(self) -> tuple[Artifact, ...]:
        """What the sites of this pass want together."""
        return tuple(self.target.shared(tuple(self.seats.values()))) if self.target and self.seats else ()

    @cached_property
    def inventories(self) -> Mapping[str, Inventory]:
        """What is ours, of every site."""
        return self._reader.inventory(self.name)

    @cached_property
    def owners(self) -> Mapping[str, tuple[str, ...]]:
        """Which sites have a path here, by inventory."""
        owners: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        for site, entry in self.inventories.items():
            for file in entry.files:
                if not file.fragment:
                    owners[file.path] += (site,)
        return owners

    @cached_property
    def wanting(self) -> Mapping[str, str]:
        """Which site of this pass wants a path here."""
        pairs = [(site, files) for site, files in self.rendered.items() if not isinstance(files, Refusal)]
        return {artifact.path: site for site, files in pairs for artifact in files if not artifact.fragment}

    def is_left(self, gone: Iterable[str]) -> bool:
        """Tell whether no declared site uses the target any more, given that none of this pass does.

        A pass that leaves quiet sites out asks only where a site that it looks at, or one that is `gone`, has something
        here to leave: the quiet ones may be its users.
        """
        leaving_sites = (*(self._looked_at - self.seats.keys()), *gone)
        if any(self.lost(site) for site in leaving_sites):
            return False
        if self._whole:
            return True
        if not any(self.inventory_of(site) is not None for site in leaving_sites):
            return False
        return not any(site in self._declared and site not in self._looked_at for site in self.inventories)

    def inventory_of(self, site: str) -> Inventory | None:
        """Give what is ours of a site."""
        return self.inventories.get(site) if self._whole else self._reader.inventory_of(self.name, site)

    def lost(self, site: str) -> str:
        """Say that the record of a site is damaged; empty if it is not."""
        return "" if self.inventory_of(site) is not None else self._reader.lost(self.name, site)

    def holder(self, site: str, path: str) -> Holder | None:
        """Tell which other site has a path: by its wish in this pass, else by inventory."""
        wanting = self.wanting.get(path)
        if wanting is not None and wanting != site:
            return Holder(wanting, leaves=False)
        owners = [owner for owner in self.owners.get(path, ()) if owner != site]
        staying = next((owner for owner in owners if self.stays(owner)), None)
        if staying is not None:
            return Holder(staying, leaves=False)
        return Holder(owners[0], leaves=True) if owners else None

    def taken(self, site: str, path: str) -> Holder | None:
        """Tell which other site wants a path or keeps it, so that it is not removed under its feet."""
        holder = self.holder(site, path)
        return None if holder is None or holder.leaves else holder

    def stays(self, owner: str) -> bool:
        """Tell whether what a site has here remains its own: it uses the target, or this pass cannot tell."""
        if owner not in self._declared:
            return False
        return owner not in self._looked_at or isinstance(self.rendered.get(owner), Refusal)

    def on_target(self, disk: Disk, site: str, live: Live, now: datetime) -> OnTarget | None:
        """Compare one site; None if it neither wants nor has anything here."""
        entry, lost = self.inventory_of(site), self.lost(site)
        seat = self.seats.get(site)
        if seat is None or self.target is None:
            if entry is None:
                return self._refused(Refusal(Reason.STORE_DAMAGED, lost), None, now) if lost else None
            return self._departing(disk, site, entry)
        artifacts = self.rendered[site]
        if isinstance(artifacts, Refusal):
            return self._refused(artifacts, entry, now)
        adopt = self.target.spec.existing == "adopt"
        case = Case(
            live, seat.live, adopt, lambda path: self._judge(site, path, artifacts), site, self._rival, self._sharer
        )
        facts = compared(disk, artifacts, entry, case)
        if lost and not all(map(_heals, facts)):
            return self._refused(Refusal(Reason.STORE_DAMAGED, lost), None, now)
        return self._made(entry, facts)

    def _judge(self, site: str, path: str, artifacts: Collection[Artifact]) -> Holder | None:
        if not any(artifact.path == path for artifact in artifacts):
            return self.taken(site, path)
        return self.holder(site, path) or self._own_elsewhere(site, path) or self._taken_elsewhere(path)

    def _own_elsewhere(self, site: str, path: str) -> Holder | None:
        """Tell which other target has a path for the same site; one that is still used gives nothing up here."""
        for view in self.beside:
            entry = view.inventory_of(site)
            if entry is not None and any(file.path == path for file in entry.files):
                return Holder(site, leaves=site not in view.seats, target=view.name)
        return None

    def _taken_elsewhere(self, path: str) -> Holder | None:
        """Tell which site has a path on another target, and stays there."""
        for view in self.beside:
            wanting = view.wanting.get(path)
            for owner in view.owners.get(path, ()):
                if owner == wanting or view.stays(owner):
                    return Holder(owner, leaves=False, target=view.name)
        return None

    def _rival(self, path: str) -> Holder | None:
        """Tell who wants a path that is nobody's yet on another target, of two the one whose name comes first."""
        found = ((view.wanting.get(path), view.name) for view in self.beside if view.name < self.name)
        return next((Holder(site, leaves=False, target=name) for site, name in found if site is not None), None)

    def _sharer(self, path: str) -> Holder | None:
        """Tell which other target has a file that this one's sites would share."""
        if path not in self._sharers:
            self._sharers[path] = sharer(self, path)
        return self._sharers[path]

    def _departing(self, disk: Disk, site: str, entry: Inventory) -> OnTarget:
        kept = {path for view in self.beside for path in view.wants(site)}
        return self._made(entry, leaving(disk, entry.files, kept, lambda path: self.taken(site, path), site))

    def wants(self, site: str) -> frozenset[str]:
        """Give the paths that a site wants here, whichever target wrote what stands there."""
        artifacts = self.rendered.get(site, ())
        return frozenset() if isinstance(artifacts, Refusal) else frozenset(one.path for one in artifacts)

    def _made(self, entry: Inventory | None, files: tuple[FileFact, ...]) -> OnTarget:
        copies = self.target.copies if self.target else any(file.revision for file in entry.files) if entry else False
        return OnTarget(self.name, files, copies, entry, entry.digest if entry else "")

    def _refused(self, refusal: Refusal, entry: Inventory | None, now: datetime) -> OnTarget:
        made = self._made(entry, ())
        problem = LastFailure(now, refusal.reason, refusal.message)
        return OnTarget(made.target, (), made.copies, made.inventory, made.digest, problem)
