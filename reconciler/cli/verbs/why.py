"""`why`: every policy's verdict for a site, in the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import CYAN, YELLOW, Screen
from reconciler.cli.writing import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings
    from reconciler.engine import Report
    from reconciler.plan.issuing.policies import Verdict
    from reconciler.wiring import App


@verb(uses=("manifests", "state", "server"), formats=("text", "json", "yaml"))
@click.argument("site", shell_complete=site_names)
def why(site: str, settings: Settings) -> int:
    """Tell what every policy says of a SITE: which one asks for a new certificate, and why the others do not."""
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.scopes import beside_problems, check_declared

    screen = Screen(settings)
    name = site.removeprefix("site/")
    with opened(settings, screen, "why", read_only=True, lenient=True) as app:
        check_declared(app, screen, (name,), app.tree.refresh())
        beside_problems(app, screen, (name,))
        verdicts, report = _judged(app, name)
    if settings.output == "text":
        _show(screen, name, verdicts, report)
    else:
        write(screen, _value(name, verdicts, report), settings.output)
    return 0


def _judged(app: App, name: str) -> tuple[tuple[Verdict, ...], Report]:
    from reconciler.model.ports import Limits, Scope
    from reconciler.plan.issuing.case import Case
    from reconciler.plan.issuing.policies import explain_policies

    report = app.engine.look(Scope(sites=frozenset({name})), Limits())
    desired = app.tree.declared([name]).sites[name]
    live, memory = app.store.live([name])[name], app.store.memory([name])[name]
    seen = report.world.sites.get(name)
    brought = seen.brought if seen is not None else app.brought(desired.brought)
    return explain_policies(Case(desired, live, memory, report.now, brought)), report


def _show(screen: Screen, name: str, verdicts: Sequence[Verdict], report: Report) -> None:
    from reconciler.report.plan_text import plan_text

    decided = next((verdict for verdict in verdicts if verdict.fires), None)
    answer = f"{decided.reason.value}: {decided.message}" if decided else "the certificate is as declared"
    screen.out(f"site/{name}: {answer}", YELLOW if decided else None)
    screen.out()
    width = max(len(verdict.reason.value) for verdict in verdicts)
    for verdict in verdicts:
        mark = "->" if verdict is decided else "* " if verdict.fires else "  "
        screen.out(f"{mark} {verdict.reason.value:<{width}}   {verdict.message}", CYAN if verdict.fires else None)
    screen.out()
    screen.diff(plan_text(report.plan, report.now))


def _value(name: str, verdicts: Sequence[Verdict], report: Report) -> dict[str, Any]:
    from reconciler.report.plan_json import plan_json

    told = [{"reason": one.reason.value, "fires": one.fires, "message": one.message} for one in verdicts]
    plan = plan_json(report.plan)
    return {"apiVersion": "certwright/v1", "kind": "Why", "site": name, "verdicts": told, "plan": plan}
