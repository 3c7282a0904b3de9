"""A plan for a person to read: made without writing anything, shown the way -o asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.engine import Report
    from reconciler.errors import Problem
    from reconciler.model.changes import Plan
    from reconciler.model.ports import Limits


def planned(
    settings: Settings, sites: Sequence[str], screen: Screen, limits: Limits
) -> tuple[Report | None, tuple[Problem, ...]]:
    """Make the plan without writing anything, and show it; None and the problems if the manifests are not valid."""
    from datetime import UTC, datetime

    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.scopes import scope_of
    from reconciler.model.changes import Plan

    with opened(settings, screen, "diff", read_only=True) as app:
        try:
            report = app.engine.look(scope_of(app, settings, sites, screen), limits)
        except ManifestError as error:
            if settings.output != "text":
                show(screen, settings, Plan(), datetime.now(UTC), error.problems)
            return None, error.problems
    show(screen, settings, report.plan, report.now)
    return report, ()


def show(screen: Screen, settings: Settings, plan: Plan, now: datetime, problems: Sequence[Problem] = ()) -> None:
    """Write a plan the way -o asks for."""
    if settings.output == "text":
        from reconciler.report.plan_text import plan_text

        screen.diff(plan_text(plan, now, problems))
    elif settings.output == "markdown":
        from reconciler.report.plan_markdown import plan_markdown

        screen.out(plan_markdown(plan, now, problems).rstrip("\n"))
    else:
        from reconciler.cli.writing import write
        from reconciler.report.plan_json import plan_json

        write(screen, plan_json(plan, problems), settings.output)
