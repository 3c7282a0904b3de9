"""The whole plan: every site decided, the guards, and one order that respects what must come first.

Order of the phases: clean-up, unpublish, publish, refresh, register, activate, install, reload, issue, install,
reload, archive, refresh of what servers show.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Hold, Plan, Reason
from reconciler.model.observed import ObservedSite
from reconciler.plan.due import due_of
from reconciler.plan.issuing.certificates import activate_change, issue_change, placeholder_change, register_change
from reconciler.plan.issuing.site import decide
from reconciler.plan.placing.gate import Gate, torn_by
from reconciler.plan.placing.handover import Handovers
from reconciler.plan.placing.moving import Moving, arrivals
from reconciler.plan.placing.reloads import Batch, look_change
from reconciler.plan.placing.steps import Steps, steps_of
from reconciler.plan.placing.targets import shared_work
from reconciler.plan.publishing import Publishing, forgotten, plan_publishing
from reconciler.plan.removal import Removal, Rounds, holds_of, plan_removal
from reconciler.plan.renaming import Heirs
from reconciler.plan.safety import guard_reissues, left_behind, only_removes, removals, staying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Abandoned, World
    from reconciler.model.ports import Declared, Limits, Scope
    from reconciler.plan.issuing.wish import Wish
    from reconciler.plan.placing.targets import Work


def make_plan(declared: Declared, world: World, *, now: datetime, limits: Limits, scope: Scope) -> Plan:
    """Decide what one pass does and what it holds. The same input gives the same plan, in whatever order it comes."""
    names = sorted(name for name in declared.sites if scope.sites is None or name in scope.sites)
    wishes, bugs = _decided(names, declared, world, now)
    guarded, reissue_holds = guard_reissues(wishes, len(declared.names), limits)
    gate, specs = Gate(world, limits, now, torn_by(guarded, now), declared.targets), installed_specs(declared, world)
    draft = _Draft(declared, world, gate, specs)
    draft.take(guarded)
    renamed, others = draft.heirs.parted(world)
    gone, removal_holds = removals(declared, others, limits, scope)
    unwanted = (*(one.name for one in gone), *(forgotten(declared, world) if scope.full else ()))
    draft.published = plan_publishing(declared, world, [wish.desired.name for wish in guarded], unwanted, now)
    draft.holds.extend(draft.published.holds)
    changes = draft.changes((*gone, *renamed), left_behind(declared, world, scope, now))
    guard_reasons = {hold.reason for hold in reissue_holds}
    holds = [hold for hold in draft.holds if hold.reason not in guard_reasons]
    stopped = frozenset(hold.site for hold in draft.holds if hold.site and hold.reason in guard_reasons)
    due = _sooner(due_of(draft.steps, now), draft.published.due, now)
    broken = _concerning(declared, scope)
    return Plan(changes, _told(broken, bugs, reissue_holds, removal_holds, holds), due, stopped)


def _concerning(declared: Declared, scope: Scope) -> Iterator[Hold]:
    """Give the holds of manifests that concern this pass; a site without any meaning is told by a full one."""
    for hold in declared.held:
        strange = scope.full and hold.site not in declared.names
        if scope.sites is None or hold.site is None or hold.site in scope.sites or strange:
            yield hold


def _sooner(due: Mapping[str, datetime], other: Mapping[str, datetime], now: datetime) -> Mapping[str, datetime]:
    """Give the earlier of two instants to come for each site."""
    return {**due, **{name: min(at, due.get(name, at)) for name, at in other.items() if at > now}}


def _decided(names: Iterable[str], declared: Declared, world: World, now: datetime) -> tuple[list[Wish], list[Hold]]:
    """Decide site by site; a bug that one site brings out holds that site and no other."""
    wishes, bugs = [], []
    for name in names:
        try:
            wishes.append(decide(declared.sites[name], _observed(world, name), world, now))
        except Exception as bug:  # noqa: BLE001  the border of one site
            text = f"{type(bug).__name__} while deciding; this is a bug of certwright"
            bugs.append(Hold(Reason.BUG, text, site=name, ends_when="certwright is mended", failed=True))
    return wishes, bugs


def _observed(world: World, name: str) -> ObservedSite:
    return world.sites.get(name) or ObservedSite(name)


def _told(*groups: Iterable[Hold]) -> tuple[Hold, ...]:
    """Give the holds in one order, each once."""
    once = dict.fromkeys(hold for group in groups for hold in group)
    return tuple(sorted(once, key=lambda hold: (hold.site or "", hold.target or "", hold.reason.value, hold.message)))


def installed_specs(declared: Declared, world: World) -> Mapping[str, TargetSpec]:
    """Give the targets by name as they were last installed; as declared where nothing was installed yet."""
    recorded = {name: seen.record.spec for name, seen in world.targets.items() if seen.record is not None}
    return {**declared.targets, **recorded}


@dataclass
class _Draft:
    """The plan while it grows."""

    declared: Declared
    world: World
    gate: Gate
    specs: Mapping[str, TargetSpec]
    steps: list[Steps] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    published: Publishing = field(default_factory=Publishing)
    heirs: Heirs = field(default_factory=Heirs)
    handovers: Handovers = field(default_factory=Handovers)
    staying: frozenset[str] = frozenset()

    def take(self, wishes: Sequence[Wish]) -> None:
        """Take the sites' steps, those that hand names over to each other in one round."""
        formers = {wish.former for wish in wishes if wish.former is not None}
        left = [one for one in self.world.abandoned if one.name not in formers and one.heir is None]
        self.handovers = Handovers.of(wishes, left)
        pending = self.handovers.pending
        steps = {
            one.desired.name: steps_of(one, self.gate, self.specs, pending.get(one.desired.name)) for one in wishes
        }
        self.steps = list(self.handovers.settled(steps).values())
        self.heirs = Heirs.of(self.steps, self.world)
        self.holds.extend(hold for one in self.steps for hold in one.holds)

    def changes(self, gone: tuple[Abandoned, ...], clean_ups: tuple[Change, ...]) -> tuple[Change, ...]:
        """Give all changes in their order."""
        registers = self._registers()
        first, second = Batch("first", self.specs), Batch("second", self.specs)
        late_targets = frozenset(work.target for steps in self.steps for work in steps.late)
        steps = {one.wish.desired.name: one for one in self.steps}
        rounds = Rounds(first, second, late_targets, self.heirs, self.handovers, steps)
        leaving = [one for one in gone if not holds_of(one, self.gate, self.specs, rounds)]
        self.staying = staying(self.world, leaving)
        restored = self._restored()
        self._shared(first, second, late_targets)
        activates = self._activates(first)
        removal = plan_removal(gone, self.gate, self.specs, rounds, activates)
        self.holds.extend(removal.holds)
        self._leave(first, second, late_targets)
        self._interrupted(first)
        first_installs, first_reloads = first.close()
        issues = self._issues(registers, activates, first)
        self._late(second, issues)
        self._move(Moving(first, second))
        second_installs, second_reloads = second.close()
        archives = self._archives(removal, first, second)
        published = (*self.published.unpublish, *self.published.publish.values(), *self.published.refresh)
        installs = (*restored.close()[0], *first_installs)
        before = (clean_ups, published, registers.values(), activates.values(), installs, first_reloads)
        after = (issues.values(), second_installs, second_reloads, archives, self._looks(first, second))
        return _once(change for group in (*before, *after) for change in group)

    def _registers(self) -> dict[str, Change]:
        """Make one registration for each account that a planned order needs, under each issuer's name."""
        made: dict[tuple[str, str], Change] = {}
        by_issuer: dict[str, Change] = {}
        for steps in self.steps:
            issuer = steps.wish.issuer
            if not steps.issues or issuer is None or issuer.type != "acme":
                continue
            record = self.world.accounts.get(issuer.name)
            if record is None or record.url is None:
                change = made.setdefault((issuer.directory, issuer.account), register_change(issuer))
                by_issuer[issuer.name] = change
        return by_issuer

    def _activates(self, first: Batch) -> dict[str, Change]:
        made: dict[str, Change] = {}
        for steps in self.steps:
            wish, name = steps.wish, steps.wish.desired.name
            if wish.activate is not None:
                made[name] = activate_change(wish)
            elif steps.placeholder:
                made[name] = placeholder_change(wish)
            after = (made[name].id,) if name in made else ()
            for work in steps.early:
                if not work.remove:
                    first.add(work, wish, after, steps.heirs.get(work.target, ()))
        return made

    def _restored(self) -> Batch:
        """Give what is put back on targets that are held: neither their test nor a reload has to come after it."""
        batch = Batch("restored", self.specs)
        for steps in self.steps:
            for work in steps.restored:
                batch.restore(work, steps.wish)
        for work, held in self._shared_works():
            if held is not None and work.hold is None and work.restores(None):
                batch.restore(work, None)
        return batch

    def _shared_works(self) -> Iterator[tuple[Work, Hold | None]]:
        """Give what is wanted of the files that sites share, with what holds it."""
        for name, seen in sorted(self.world.targets.items()):
            spec = self.declared.targets.get(name) or self.specs.get(name)
            work = shared_work(seen.shared, spec) if seen.shared is not None and spec is not None else None
            if work is not None and not (name in self.staying and only_removes(work.files)):
                yield work, work.hold or self.gate.hold(name, work.spec, None)

    def _looks(self, first: Batch, second: Batch) -> Iterator[Change]:
        """Give the looks at servers that are not reloaded anyway, with a proof."""
        for steps in self.steps:
            for work in steps.looks:
                if not first.has(work.target) and not second.has(work.target):
                    yield look_change(work, steps.wish)

    def _leave(self, first: Batch, second: Batch, late_targets: frozenset[str]) -> None:
        """Take sites out of targets they left; where a target is reloaded later anyway, then."""
        for steps in self.steps:
            for work in steps.early:
                if work.remove and not arrivals(steps.wish, work.spec):
                    batch = second if work.target in late_targets and not first.has(work.target) else first
                    batch.add(work, steps.wish, (), steps.heirs.get(work.target, ()))
            for work in steps.joins:
                second.add(work, steps.wish, (), steps.heirs.get(work.target, ()))

    def _shared(self, first: Batch, second: Batch, late_targets: frozenset[str]) -> None:
        proving = frozenset(work.target for steps in self.steps for work in steps.late if _proves_by_acme(steps))
        early = frozenset(work.target for steps in self.steps for work in steps.early)
        for work, held in self._shared_works():
            if held is not None:
                self.holds.append(held)
            elif work.target in late_targets and work.target not in proving | early:
                second.add_shared(work)
            else:
                first.add_shared(work)

    def _interrupted(self, first: Batch) -> None:
        for name, seen in sorted(self.world.targets.items()):
            if seen.switching and name in self.specs and self.gate.hold(name, self.specs[name], None) is None:
                first.add_interrupted(name)

    def _issues(self, registers: dict[str, Change], activates: dict[str, Change], first: Batch) -> dict[str, Change]:
        made: dict[str, Change] = {}
        for steps in sorted(self.steps, key=lambda one: (bool(one.after), one.wish.rank, one.wish.desired.name)):
            wish, name = steps.wish, steps.wish.desired.name
            if not steps.issues or wish.issuer is None:
                continue
            after = [registers[wish.issuer.name].id] if wish.issuer.name in registers else []
            after += [activates[name].id] if name in activates else []
            after += [made[taker].id for taker in steps.after if taker in made]
            after += [
                done for target, takers in steps.heirs.items() for one in takers for done in first.ends([target], one)
            ]
            after += [self.published.publish[name].id] if name in self.published.publish else []
            early = {work.target for work in steps.early if not work.remove}
            shared = (
                {work.target for work in steps.late if first.has_shared(work.target)}
                if _proves_by_acme(steps)
                else set()
            )
            after += first.ends(sorted(early | shared), name)
            made[name] = issue_change(wish, self.gate.now, tuple(dict.fromkeys(after)))
        return made

    def _late(self, second: Batch, issues: dict[str, Change]) -> None:
        for steps in self.steps:
            name = steps.wish.desired.name
            for work in steps.late:
                if name in issues:
                    heirs = steps.heirs.get(work.target, ())
                    second.add(replace(work, reload=_CHANGED), steps.wish, (issues[name].id,), heirs)
        second.wait_for_heirs(issues)

    def _move(self, moving: Moving) -> None:
        """Take sites out of targets that they left for others, once those have taken them up."""
        for steps in self.steps:
            for work in steps.early:
                if work.remove and arrivals(steps.wish, work.spec):
                    after = moving.after(work, steps.wish)
                    if isinstance(after, Hold):
                        self.holds.append(after)
                    else:
                        moving.second.add(work, steps.wish, after, steps.heirs.get(work.target, ()))

    @staticmethod
    def _archives(removal: Removal, first: Batch, second: Batch) -> tuple[Change, ...]:
        return tuple(
            replace(archive, after=tuple(one for batch in (first, second) for one in batch.left(targets, archive.site)))
            for archive, targets in removal.archives
        )


_CHANGED = (Reason.CERTIFICATE_CHANGED, "takes up the new certificate")


def _proves_by_acme(steps: Steps) -> bool:
    return steps.issues and steps.wish.issuer is not None and steps.wish.issuer.type == "acme"


def _once(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple({change.id: change for change in changes}.values())
