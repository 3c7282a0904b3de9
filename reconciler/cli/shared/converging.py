"""A convergence with a person watching: the plan, how far it is, what came of it. For `apply`, `renew` and `retry`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.cli import views
from reconciler.cli.failures import tell_problems
from reconciler.cli.progress import Progress
from reconciler.cli.screen import RED
from reconciler.cli.shared.apps import opened
from reconciler.cli.shared.planned import show
from reconciler.cli.shared.results import Results
from reconciler.cli.shared.scopes import follow, scope_of
from reconciler.cli.signals import stopping
from reconciler.model.changes import Reason, Verb
from reconciler.model.observed import Revision
from reconciler.model.outcomes import Outcome, Status
from reconciler.report.cells import at, condition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.engine import Report
    from reconciler.model.ports import Limits, Scope
    from reconciler.wiring import App


@dataclass(frozen=True, slots=True)
class Wish:
    """What `apply` was asked for beside the sites."""

    plan: str | None
    keep_going: bool
    removals: int | None
    reissues: int | None
    change_source: bool
    accept_machine: bool = False


def converge(sites: Collection[str], settings: Settings, screen: Screen, limits: Limits, wish: Wish) -> int:
    """Do `apply` and give its exit code."""
    from reconciler.cli.shared.saved_plan import read_plan

    saved = read_plan(wish.plan) if wish.plan is not None else None
    with opened(settings, screen, "apply", lenient=wish.keep_going) as app, stopping(app, screen) as caught:
        app.tree.glance()  # a tree that is not valid must not become the one that is followed
        if wish.change_source:
            follow(app, settings)
        if wish.accept_machine:
            app.store.accept_machine()
        scope = scope_of(app, settings, sites, screen)
        if scope.full:
            follow(app, settings)
        if app.tree.problems:
            tell_problems(app.tree.problems, screen)
            screen.tell("what these declare is held; the rest goes on", RED)
        run = Run(app, settings, screen, saved)
        results = run.converge(scope, limits)
        if saved is not None:  # of the others nothing was asked
            scope = replace(scope, sites=frozenset(one.site for one in results.changes.values() if one.site))
        code = results.code(not_ready(app, scope, results))
        # what does not parse is held, and a hold that a person must end is no success
        return caught.code(1 if code == 0 and app.tree.problems else code)


def not_ready(app: App, scope: Scope, results: Results) -> list[views.Item]:
    """Give the items of the scope's declared sites that are not Ready.

    Those that the last pass looked at as it saw them, whatever becomes of the cache; the others as they were seen.
    """
    names = frozenset(app.tree.glance()) if scope.sites is None else scope.sites
    here = _seen_last(app, names, results.last)
    unseen = names - here.keys()
    rest = [item for item in views.not_ready(app.options.state) if at(item, "metadata", "name") in unseen]
    return [*(item for item in here.values() if condition(item, "Ready").get("status") != "True"), *rest]


def _seen_last(app: App, names: Collection[str], report: Report | None) -> dict[str, views.Item]:
    looked = report.declared.sites.keys() & names if report is not None else ()
    return {name: dict(app.engine.viewing(name, report, None)) for name in looked if report is not None}


@dataclass(slots=True)
class Run:
    """One convergence. `saved` are the reviewed changes by id, if only those may be done.

    `asked` is the wish that it is to fulfil, as the certificates that answer it name it.
    """

    app: App
    settings: Settings
    screen: Screen
    saved: Mapping[str, str] | None = None
    asked: str | None = None
    results: Results = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.results = Results(self.screen, self.settings)

    def converge(self, scope: Scope, limits: Limits) -> Results:
        """Do it, telling as it goes, and tell the results."""
        with Progress(self.screen) as progress:

            def ended(outcome: Outcome) -> None:
                progress.tell(self._wished(outcome))

            def planned(report: Report) -> None:
                progress.pause()
                self._planned(report)
                progress.expect(len(report.plan.changes))

            reports: Sequence[Report]
            if self.saved is None:
                reports = self.app.engine.converge(scope, self.app.execute, limits, planned, ended)
            else:
                reports = self._reviewed(scope, limits, progress)
        if scope.full:
            self.app.store.tidy(self.app.clock.now())
        self.results.take([replace(one, outcomes=tuple(map(self._wished, one.outcomes))) for one in reports])
        self.results.tell()
        return self.results

    def _wished(self, outcome: Outcome) -> Outcome:
        """Count as done what another process, `run` for one, did for the same wish while we waited for it."""
        change = outcome.change
        if self.asked is None or change.verb is not Verb.ISSUE or outcome.reason != Reason.NO_LONGER_PLANNED:
            return outcome
        live = self.app.store.live([change.site or ""])[change.site or ""]
        if not isinstance(live, Revision) or self.asked not in live.meta.requested:
            return outcome
        return Outcome(change, Status.DONE, message="done by another process", revision=live.id)

    def _planned(self, report: Report) -> None:
        """Show the first plan; of the following ones what is new."""
        fresh = self.results.fresh(report.plan)
        if self.settings.output != "text" or (fresh is None and not self.screen.verbosity):
            return
        if fresh is not None:
            show(self.screen, self.settings, fresh, report.now)

    def _reviewed(self, scope: Scope, limits: Limits, progress: Progress) -> Sequence[Report]:
        """Do the reviewed part of the plan of now, once."""
        from reconciler.cli.shared.saved_plan import choose

        engine = self.app.engine
        report = engine.look(scope, limits)
        chosen = choose(report.plan, self.saved or {})
        self.results.refused = {f"{(self.saved or {})[name]} ({name})": why for name, why in chosen.refused.items()}
        report = replace(report, plan=chosen.plan)
        if chosen.plan.changes:
            self._planned(report)
        progress.expect(len(chosen.plan.changes))
        done = engine.done(report, self.app.execute, progress.tell)
        after = engine.look(scope, limits)
        engine.note(after)
        # what was not reviewed stays undone, and is no failure of this run
        return done, replace(after, plan=replace(after.plan, changes=()))
