"""The one pass: manifests -> observe -> plan -> execute -> report. `diff`, `apply` and `run` differ in `execute` alone.

A scope enters, a Report leaves. Must not do: parse, decide or write anything itself.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.model.changes import Reason, Verb
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.plain import to_plain
from reconciler.model.ports import Scope
from reconciler.plan.assemble import make_plan
from reconciler.plan.lingering import lingering

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.changes import Change, Hold, Plan
    from reconciler.model.observed import Failures, World
    from reconciler.model.ports import Cache, Clock, Declared, Execute, Limits

_PASSES: Final = 5
_SHOWN: Final = "view/names"
# what was declared as a pass looked at some sites alone: `status` tells of those that none has looked at
_DECLARED: Final = "view/declared"
# the mark of a view lets who asks for the sites that are not Ready leave the texts of the others unread
_READY: Final = '{"type":"Ready","status":"True"'
_HELD: Final = "view/holds"


class Manifests(Protocol):
    """The manifest tree, read incrementally."""

    def refresh(self) -> Mapping[str, str]:
        """Read what changed; give every declared site (of this server) with the digest of its meaning."""
        ...

    def declared(self, names: Collection[str]) -> Declared:
        """Give the meaning of these sites, and of every target and issuer that they use."""
        ...


class Observing(Protocol):
    """The store and the installed files, read: `observe.world.Observer`."""

    def loud(self, digests: Mapping[str, str], now: datetime, *, whole: bool = True) -> frozenset[str]:
        """Give the sites whose inputs changed since a pass found nothing to do, or whose due time has come.

        `whole`: these are all that are declared.
        """
        ...

    def observe(self, declared: Declared, scope: Scope) -> World:
        """Read the world of these sites."""
        ...

    def settle(self, declared: Declared, due: Mapping[str, datetime | None]) -> None:
        """Note the inputs of sites for which there was nothing to do, until `due`."""
        ...


@dataclass(frozen=True)
class Report:
    """What a pass saw, wanted and did. `quiet` counts the sites that needed no look."""

    declared: Declared
    world: World
    plan: Plan
    now: datetime
    scope: Scope
    quiet: int = 0
    outcomes: tuple[Outcome, ...] = ()

    @cached_property
    def holds_by_site(self) -> Mapping[str, Sequence[Hold]]:
        """Sort the holds out once: a limit of a CA's may hold every site, and each of them is described."""
        found: defaultdict[str, list[Hold]] = defaultdict(list)
        for hold in self.plan.holds:
            found[hold.site or ""].append(hold)
        return found

    @cached_property
    def broken_targets(self) -> Mapping[str, Failures]:
        """Give the failures of targets as wholes, by name."""
        records = {name: seen.record for name, seen in self.world.targets.items()}
        return {name: record.failures for name, record in records.items() if record is not None}


@dataclass(frozen=True, slots=True)
class Engine:
    """The rooms in order; `viewing` describes one site for readers, given its former description.

    `keeping` writes down what the manifests meant, at the end of a pass that did something.
    """

    manifests: Manifests
    observer: Observing
    viewing: Callable[[str, Report, Mapping[str, object] | None], Mapping[str, object]]
    cache: Cache
    clock: Clock
    keeping: Callable[[Declared, World], None]

    def look(self, scope: Scope, limits: Limits) -> Report:
        """Make one pass up to its plan; nothing is changed."""
        now = self.clock.now()
        digests = self.manifests.refresh()
        names = digests.keys() if scope.sites is None else scope.sites & digests.keys()
        loud = self.observer.loud({name: digests[name] for name in names}, now, whole=scope.sites is None)
        declared = self.manifests.declared(loud)
        world = self.observer.observe(declared, scope)
        plan = make_plan(declared, world, now=now, limits=limits, scope=scope)
        return Report(declared, world, plan, now, scope, quiet=len(names) - len(loud))

    @staticmethod
    def done(report: Report, execute: Execute, tell: Callable[[Outcome], None]) -> Report:
        """Do a report's plan; give the report with its outcomes. Of a plan without changes `execute` does not hear."""
        if not report.plan.changes:
            return report
        outcomes = []
        for outcome in execute(report.plan, report.declared):
            outcomes.append(outcome)
            tell(outcome)
        return replace(report, outcomes=tuple(outcomes))

    def converge(
        self,
        scope: Scope,
        execute: Execute,
        limits: Limits,
        planned: Callable[[Report], None],
        tell: Callable[[Outcome], None],
    ) -> tuple[Report, ...]:
        """Repeat the pass until only holds remain; `planned` sees each plan before it is done.

        The last report is of the last pass: what it still wants is what could not be done now.
        """
        reports: list[Report] = []
        for _ in range(_PASSES):
            report = self.look(scope, limits)
            if reports and not _progress(report, reports):
                reports.append(report)
                break
            planned(report)
            reports.append(self.done(report, execute, tell))
            if not report.plan.changes or self.clock.stopping():
                break
        self.note(reports[-1])
        self._note_others(reports, limits)
        return tuple(reports)

    def _note_others(self, reports: Sequence[Report], limits: Limits) -> None:
        """Look at the sites that something was done to though the last pass left them out: readers see them as well."""
        named = {one.change.site for report in reports for one in report.outcomes if one.beside and one.change.site}
        others = frozenset(named - reports[-1].declared.sites.keys())
        if others:
            self.note(self.look(Scope(sites=others), limits))

    def note(self, report: Report) -> None:
        """Keep what readers show, and which sites need no look until when."""
        shown = self._keep_views(report)
        self._keep_holds(report)
        self._keep_declared(report)
        self.keeping(report.declared, report.world)
        plan = report.plan
        busy = {change.site for change in plan.changes} | {hold.site for hold in plan.holds} | plan.stopped
        targets = {change.target for change in plan.changes if not change.site}
        calm = {}
        for name, site in report.declared.sites.items():
            if name not in busy and not targets & {use.spec.name for use in site.targets}:
                calm[name] = plan.due.get(name)
        if shown:  # else what readers see is older, and only a further look can mend it
            self.observer.settle(report.declared, calm)

    def _keep_views(self, report: Report) -> bool:
        """Write what changed; False if it could not be."""
        before = self.cache.rows("view", list(report.declared.sites))
        rows = {}
        for name in report.declared.sites:
            former = _item(before[name][1]) if name in before else None
            item = self.viewing(name, report, former)
            if item != former:
                text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
                rows[name] = ("ready" if _READY in text else "", text)
        names = _digest(report.declared.names) if report.scope.full else ""
        # to ask ten thousand rows for their names alone costs a fifth of a pass in which nothing is to do
        same = self.cache.signatures(_SHOWN).get("") == names
        gone = set() if same or not names else set(self.cache.signatures("view")) - report.declared.names
        if not self.cache.put("view", rows, drop=gone):
            return False
        if names and not same:
            self.cache.put(_SHOWN, {"": (names, "")})
        elif rows and not names:
            self.cache.put(_SHOWN, {}, drop=[""])
        return True

    def _keep_holds(self, report: Report) -> None:
        """Keep the holds that no declared site bears, which no site's item could show, and what lingers."""
        kept = self.cache.rows(_HELD).get("", ("", "[]"))[1]
        holds = [hold for hold in report.plan.holds if hold.site not in report.declared.names]
        left = lingering(report.world, report.declared.names, report.plan.changes)
        own = [to_plain(hold) for hold in (*holds, *left)]
        still = [hold for hold in self._still_held(_held(kept), report) if hold not in own]
        text = json.dumps([*still, *own], ensure_ascii=False)
        if text != kept:
            self.cache.put(_HELD, {"": ("", text)})

    def _keep_declared(self, report: Report) -> None:
        kept = self.cache.signatures(_DECLARED).get("")
        if report.scope.full:
            self.cache.put(_DECLARED, {}, drop=[""] if kept is not None else [])
        elif kept != (names := _digest(report.declared.names)):
            self.cache.put(_DECLARED, {"": (names, json.dumps(sorted(report.declared.names)))})

    @staticmethod
    def _still_held(former: list[Mapping[str, object]], report: Report) -> Iterator[Mapping[str, object]]:
        """Give those of an earlier pass of which this one could not judge."""
        for hold in former if not report.scope.full else ():
            of_target = hold["site"] is None and hold["target"] in report.world.targets
            is_over = of_target or hold["site"] in report.declared.names
            if not is_over and hold["reason"] not in (Reason.TOO_MANY_REISSUES, Reason.LEFT_BEHIND):
                yield hold


def _item(text: str) -> Mapping[str, object] | None:
    """Read what was kept of a site; what cannot be read was not kept."""
    try:
        item = json.loads(text)
    except ValueError:
        return None
    return item if isinstance(item, dict) and "status" in item else None


def _held(text: str) -> list[Mapping[str, object]]:
    try:
        return [hold for hold in json.loads(text) if hold.keys() >= {"site", "target", "reason"}]
    except (ValueError, TypeError, AttributeError):
        return []


def _digest(names: Collection[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def _progress(report: Report, before: Sequence[Report]) -> bool:
    """Tell whether a further pass would do anything that did not fail in one before, or was not just left undone.

    What another process came before is planned once more as things are now: it may not have done all of it yet.
    """
    failed = {one.change.id for former in before for one in former.outcomes if one.status is Status.FAILED}
    left = (one for one in before[-1].outcomes if one.reason != Reason.NO_LONGER_PLANNED)
    idle = failed | {one.change.id for one in left if one.status is not Status.DONE}
    return any(not _is_idle(change, idle) for change in report.plan.changes)


def _is_idle(change: Change, idle: Collection[str]) -> bool:
    """Tell whether a change is one of the `idle`, or a reload that would take up nothing but what those bring."""
    follows = change.verb is Verb.RELOAD and bool(change.after)
    return change.id in idle or (follows and all(one in idle for one in change.after))
