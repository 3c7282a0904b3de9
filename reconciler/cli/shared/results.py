"""What came of a convergence: failures with their reasons and next steps, one line that sums up, the exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.cli.progress import outcome_line
from reconciler.cli.screen import GREEN, RED, YELLOW
from reconciler.model.changes import Plan, Verb
from reconciler.model.outcomes import Condition, Status
from reconciler.report.cells import at, condition
from reconciler.report.exit_code import NOT_OK, exit_code, is_not_ready
from reconciler.report.reasons import next_step, step_after_order, step_after_reload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.engine import Report
    from reconciler.model.changes import Change, Hold
    from reconciler.model.desired import DesiredSite
    from reconciler.model.outcomes import Outcome

_FEW: Final = 10


@dataclass(slots=True)
class Results:
    """Grows with the passes of one convergence.

    `refused` are reviewed changes that were not done, with the reason; `more` is what a verb adds to the JSON.
    """

    screen: Screen
    settings: Settings
    changes: dict[str, Change] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    holds: tuple[Hold, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    last: Report | None = None
    sites: Mapping[str, DesiredSite] = field(default_factory=dict)
    told: frozenset[Hold] = frozenset()
    more: Mapping[str, Any] = field(default_factory=dict)

    def fresh(self, plan: Plan) -> Plan | None:
        """Give a pass's plan without what an earlier pass had; None if there is nothing new in a later pass."""
        first = self.last is None and not self.changes
        if first:
            self.told = frozenset(plan.holds)
        new = tuple(change for change in plan.changes if change.id not in self.changes)
        self.changes |= {change.id: change for change in new}
        return plan if first else replace(plan, changes=new, holds=()) if new else None

    def take(self, reports: Sequence[Report]) -> None:
        """Take the passes' outcomes, and the holds of the last one."""
        self.outcomes = [outcome for report in reports for outcome in report.outcomes]
        self.changes |= {one.change.id: one.change for one in self.outcomes if one.beside}
        self.holds = reports[-1].plan.holds
        self.last = reports[-1]
        self.sites = {name: site for report in reports for name, site in report.declared.sites.items()}

    @property
    def ended(self) -> Mapping[str, Outcome]:
        """Give each change's last outcome by its id."""
        return {outcome.change.id: outcome for outcome in self.outcomes}

    def tell(self) -> None:
        """Write the results the way -o asks for."""
        if self.settings.output == "text":
            self._tell_text()
            return
        from reconciler.cli.writing import write
        from reconciler.report.plan_json import plan_json

        plan = Plan(tuple(self.changes.values()), self.holds, self.last.plan.due if self.last else {})
        write(self.screen, {**plan_json(plan, (), self.ended.values()), **self.more}, self.settings.output)

    def _tell_text(self) -> None:
        for outcome in self.ended.values():
            if outcome.status is Status.FAILED or (outcome.status is Status.WAITING and outcome.message):
                self._tell_failure(outcome)
            elif (
                outcome.message
                and (outcome.beside or outcome.change.verb is Verb.ISSUE)
                and outcome.status is Status.DONE
            ):
                self.screen.out(f"{outcome.change.subject}: {outcome.message}")
        for change, why in self.refused.items():
            self.screen.out(f"refused {change}: {why}", RED)
        if self.outcomes or self.refused:
            self._tell_new_holds()
            counts = Counter(outcome.status for outcome in self.ended.values())
            parts = [f"{counts[status]:,} {status.value}" for status in Status if counts[status]]
            parts += [f"{len(self.refused):,} refused"] if self.refused else []
            parts += [f"{len(self.holds):,} held"] if self.holds else []
            good = not self.refused and not self.holds and set(counts) <= {Status.DONE}
            self.screen.out(f"applied: {', '.join(parts)}.", GREEN if good else YELLOW)

    def _tell_failure(self, outcome: Outcome) -> None:
        self.screen.out(outcome_line(outcome), RED)
        site = outcome.change.site or self._site_on(outcome.change.target)
        site = site if site in self.sites else None  # one that is declared no more can be named to no verb
        thing = f"{self.settings.state}/{outcome.change.subject}"
        if outcome.change.verb is Verb.ISSUE:
            step = step_after_order(outcome.reason, site)
        elif outcome.change.verb is Verb.RELOAD:
            step = step_after_reload(outcome.reason, site)
        else:
            step = next_step(outcome.reason, site, thing=thing, again="apply")
        if outcome.again is not None and self.last is not None:
            from reconciler.report.times import both

            self.screen.out(f"        tried again at {both(outcome.again, self.last.now)}")
        if step is not None:
            self.screen.out(f"        next: {step}")

    def _site_on(self, target: str | None) -> str | None:
        """Give a site on a target that failed, one that is held first: for a command that can be run as it stands."""
        if target is None:
            return None
        held = [hold.site for hold in self.holds if hold.target == target and hold.site]
        on = (name for name, site in sorted(self.sites.items()) if target in {use.spec.name for use in site.targets})
        return next(iter((*held, *on)), None)

    def _tell_new_holds(self) -> None:
        """Tell what is held now; the plan at the top showed what was held before."""
        new = tuple(hold for hold in self.holds if hold not in self.told)
        if new and self.last is not None:
            from reconciler.report.plan_text import holds_text

            self.screen.diff(holds_text(new, self.last.now))

    def code(self, not_ready: Sequence[Mapping[str, Any]] = ()) -> int:
        """Give the exit code; `not_ready` are the items of the sites that are not Ready."""
        ready = {}
        for item in not_ready:
            one = condition(item, "Ready")
            if one.get("status") != "True":
                reason = str(one.get("reason") or "NotYetSeen")
                ready[str(at(item, "metadata", "name"))] = Condition(
                    "Ready", "False", reason, str(one.get("message") or "")
                )
        code = exit_code(self.holds, self._judged(), ready.values())
        if code == NOT_OK != exit_code(self.holds, self._judged()) and self.settings.output == "text":
            self._tell_not_ready(ready)
        return 1 if self.refused else code

    def _tell_not_ready(self, ready: Mapping[str, Condition]) -> None:
        """Tell of sites that nothing above tells of, and that are why this ends with 1."""
        failing = [(name, one) for name, one in ready.items() if is_not_ready(one)]
        for name, one in failing[:_FEW]:
            self.screen.out(f"not ready site/{name}: {one.reason}: {one.message}", RED)
            step = next_step(one.reason, name)
            if step is not None:
                self.screen.out(f"        next: {step}")
        if len(failing) > _FEW:
            self.screen.out(f"not ready: {len(failing) - _FEW:,} sites more; `certwright status` tells of them", RED)

    def _judged(self) -> list[Outcome]:
        """Leave out what does not count: a refresh only asks."""
        return [outcome for outcome in self.outcomes if outcome.change.verb is not Verb.REFRESH]
