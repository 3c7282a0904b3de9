"""`diff`: what `apply` would do, and why. Nothing is changed, and no CA is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.completing import site_names
from reconciler.cli.failures import tell
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen
from reconciler.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.cli.settings import Settings
    from reconciler.engine import Report
    from reconciler.errors import Problem
    from reconciler.model.changes import Plan
    from reconciler.model.ports import Limits

USES = ("manifests", "state", "server", "selector")
FORMATS = ("text", "json", "yaml", "markdown")


@verb(uses=USES, formats=FORMATS)
@click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
def diff(sites: tuple[str, ...], settings: Settings) -> int:
    """Show what `apply` would do, and why: changes, files, what is held and until when, and what it costs.

    Exit 0 if there is nothing to do but to wait, 1 if there are changes, 2 if the manifests are not valid.
    """
    from reconciler.model.ports import Limits
    from reconciler.report.exit_code import exit_code_of_diff

    screen = Screen(settings)
    report, problems = planned(settings, sites, screen, Limits())
    if report is None:
        return tell(ManifestError(problems), screen)
    return exit_code_of_diff(report.plan, problems)


def planned(
    settings: Settings, sites: Sequence[str], screen: Screen, limits: Limits
) -> tuple[Report | None, tuple[Problem, ...]]:
    """Make the plan without writing anything, and show it; None and the problems if the manifests are not valid."""
    from datetime import UTC, datetime

    from reconciler.cli.apps import opened
    from reconciler.cli.scopes import scope_of
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
