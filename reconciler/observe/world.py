"""The whole of one pass's observation: a `Scope` and what is `Declared` become a `World`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.doors.addresses import global_addresses
from reconciler.model.addresses import publishes_own
from reconciler.model.observed import World
from reconciler.model.ports import SiteOnTarget
from reconciler.observe.abandoned import abandoned_sites
from reconciler.observe.accounts import accounts_of
from reconciler.observe.behind import Behind
from reconciler.observe.disk import Disk
from reconciler.observe.inheriting import inheritances
from reconciler.observe.quiet import Calm, Quiet
from reconciler.observe.site import observed_sites
from reconciler.observe.targets import observed_targets
from reconciler.observe.torn import Complete
from reconciler.observe.traces import traces_of
from reconciler.observe.view import TargetView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.model.desired import DesiredSite, ImportSpec, TargetSpec
    from reconciler.model.observed import Brought, TargetRecord
    from reconciler.model.ports import Cache, Clock, Declared, Reader, Scope, Target
    from reconciler.observe.traces import Traces


class Observer:
    """Observes, and remembers which sites were quiet. One for a store; used by one thread.

    `build` makes a target of its spec; `live` gives the directory by which servers read a site's key and chain;
    `brought` reads what a site's `import` names.
    """

    def __init__(
        self,
        reader: Reader,
        build: Callable[[TargetSpec], Target],
        live: Callable[[str], str],
        cache: Cache,
        clock: Clock,
        brought: Callable[[ImportSpec], Brought],
    ) -> None:
        """Take what a pass reads from."""
        self._reader, self._build, self._live, self._clock, self._brought = reader, build, live, clock, brought
        self._quiet, self._complete = Quiet(cache, reader.renamed_only), Complete(cache)
        self._digests: Mapping[str, str] = {}
        self._traces: dict[str, Traces] = {}

    def loud(self, digests: Mapping[str, str], now: datetime, *, whole: bool = True) -> frozenset[str]:
        """Give the sites (name to digest of their meaning) that must be looked at; `whole`: these are all declared."""
        self._digests, self._traces = digests, {}
        return self._quiet.loud(digests, now, whole=whole)

    def settle(self, declared: Declared, due: Mapping[str, datetime | None]) -> None:
        """Remember sites for which there was nothing to do until `due`; only what was observed since `loud` counts."""
        calm = {
            name: Calm(self._digests[name], until, traces.own, traces.shared)
            for name, until in due.items()
            if name in self._digests and (traces := self._traces.get(name)) is not None
        }
        self._quiet.settle(calm, declared.names)

    def observe(self, declared: Declared, scope: Scope) -> World:
        """Observe the declared sites of the scope, their targets and issuers; in a full pass also what is left over.

        Raises StoreError where the store cannot be read. A site that cannot be rendered has a `problem` instead.
        """
        reader, sites = self._reader, _within(scope, declared)
        known = reader.sites() if scope.full else frozenset()
        records = reader.targets()
        whole = declared.names <= sites.keys()
        views = self._views(declared, sites, records, whole=whole)
        accounts, orphaned = accounts_of(reader, declared.issuers.values())
        unknown = known - declared.names
        heirless = self._heirless(unknown, declared, scope)
        with Disk() as disk:
            seen = observed_sites(reader, sites, views, disk, self._clock.now(), self._brought)
            behind = Behind.of(declared, scope, seen, records, self._complete)
            inherited = inheritances(reader, sites, seen, heirless)
            gone = unknown if scope.full else frozenset(one.site for one in inherited.values())
            world = World(
                sites={**seen, **{name: replace(seen[name], inherits=one) for name, one in inherited.items()}},
                targets=observed_targets(reader, records, views, disk, gone if scope.full else None, behind),
                accounts=accounts,
                orphaned_accounts=orphaned,
                abandoned=abandoned_sites(reader, gone, views),
                undo=reader.undo(),
                known=len(known),
                moved=reader.moved(),
                addresses=global_addresses() if any(map(publishes_own, sites.values())) else (),
            )
        self._traces.update(
            {name: traces_of(reader, sites[name], site, world.targets) for name, site in world.sites.items()}
        )
        return world

    def _heirless(self, unknown: frozenset[str], declared: Declared, scope: Scope) -> frozenset[str]:
        """Give the names whose certificates a site may inherit; a pass over a part looks at what is live alone."""
        if not declared.complete or not (scope.full or scope.follows):
            return frozenset()
        return unknown if scope.full else self._reader.pointers() - declared.names

    def _views(
        self,
        declared: Declared,
        sites: Mapping[str, DesiredSite],
        records: Mapping[str, TargetRecord],
        *,
        whole: bool,
    ) -> dict[str, TargetView]:
        seats: defaultdict[str, dict[str, SiteOnTarget]] = defaultdict(dict)
        specs = dict(declared.targets)
        for site in sites.values():
            live = self._live(site.name)
            for use in site.targets:
                specs.setdefault(use.spec.name, use.spec)
                seats[use.spec.name][site.name] = SiteOnTarget.of(site, use, live)
        views = {
            name: TargetView(
                name,
                self._build(specs[name]) if name in specs else None,
                self._reader,
                seats.get(name, {}),
                looked_at=frozenset(sites),
                declared=declared.names,
                whole=whole,
            )
            for name in sorted({*seats, *records, *self._reader.lost_targets(records)})
        }
        for name, view in views.items():
            view.spec = specs.get(name) or (records[name].spec if name in records else None)
            view.beside = [other for other in views.values() if other is not view]
        return views


def _within(scope: Scope, declared: Declared) -> Mapping[str, DesiredSite]:
    if scope.sites is None:
        return declared.sites
    return {name: declared.sites[name] for name in sorted(scope.sites) if name in declared.sites}
