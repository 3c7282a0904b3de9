"""Plans in flight: which sites and targets they work on, and who must be looked at when each of these returns."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.model.outcomes import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.engine import Report
    from reconciler.loop.dealing import Deal
    from reconciler.model.changes import Change, Plan
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Declared

EVERYTHING: Final = "*"
"""The identity that asks for a full pass; no site can have this name."""


@dataclass(slots=True)
class Flight:
    """One plan that an executor works on: what is open of each site and target, and who uses the targets."""

    plan: Plan
    declared: Declared
    sites: Counter[str]
    targets: Counter[str]
    users: dict[str, frozenset[str]]
    resting: set[str] = field(default_factory=set)


class Flights:
    """All plans in flight. One thread's own."""

    def __init__(self) -> None:
        """Start with none."""
        self._targets: set[str] = set()
        self._after: defaultdict[str, set[str]] = defaultdict(set)
        self.count = 0

    @property
    def targets(self) -> frozenset[str]:
        """The targets that are being worked on."""
        return frozenset(self._targets)

    def begin(self, report: Report, deal: Deal) -> Flight:
        """Note a plan that is handed on."""
        targets = Counter(change.target for change in deal.plan.changes if change.target)
        users = {target: _users(report, target) for target in targets}
        self._targets.update(targets)
        self.count += 1
        sites = Counter(change.site for change in deal.plan.changes if change.site)
        return Flight(deal.plan, report.declared, sites, targets, users)

    def wait(self, report: Report, blocked: Iterable[Change]) -> None:
        """Note who waits for a target to return."""
        for change in blocked:
            target = change.target or ""
            self._after[target] |= names_of(report, change) or _users(report, target)

    def came(self, flight: Flight, outcome: Outcome) -> tuple[set[str], set[str]]:
        """Take an outcome; give the sites that are no longer in flight, and the names to be looked at.

        A site that waits for a known time is looked at then, not now.
        """
        change, free, again = outcome.change, set[str](), set[str]()
        if outcome.beside:
            return free, {change.site} if change.site in flight.declared.names else {EVERYTHING}
        if outcome.status is Status.WAITING and change.site:
            flight.resting.add(change.site)
        if change.site and _counted_down(flight.sites, change.site):
            free.add(change.site)
            if change.site not in flight.resting:
                again |= {change.site} if change.site in flight.declared.names else {EVERYTHING}
        if change.target and _counted_down(flight.targets, change.target):
            self._targets.discard(change.target)
            again |= flight.users[change.target] | self._after.pop(change.target, set())
        return free, again

    def end(self, flight: Flight) -> tuple[set[str], set[str]]:
        """Take the end of a plan; give what `came` gives, for all that had no outcome."""
        self.count -= 1
        free = set(flight.sites)
        again = {name if name in flight.declared.names else EVERYTHING for name in free}
        for target in flight.targets:
            self._targets.discard(target)
            again |= flight.users[target] | self._after.pop(target, set())
        return free, again


def names_of(report: Report, change: Change) -> set[str]:
    """Give the name to look at for a change: its site, or all if that is no longer declared."""
    if not change.site:
        return set()
    return {change.site if change.site in report.declared.names else EVERYTHING}


def _users(report: Report, target: str) -> frozenset[str]:
    """Give the sites of a pass that use a target."""
    sites = report.declared.sites.values()
    return frozenset(site.name for site in sites if any(use.spec.name == target for use in site.targets))


def _counted_down(open_: Counter[str], name: str) -> bool:
    """Count one less; True, once, when none is left."""
    open_[name] -= 1
    if open_[name] > 0:
        return False
    del open_[name]
    return True
