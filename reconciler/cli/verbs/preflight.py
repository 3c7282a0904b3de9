"""`preflight`: the checklist from outside in, before a CA is asked."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import RED, YELLOW, Screen
from reconciler.cli.writing import write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.cli.settings import Settings
    from reconciler.model.desired import DesiredSite
    from reconciler.model.findings import Finding
    from reconciler.wiring import App

_COLORS: Final = {"error": RED, "warning": YELLOW, "": None}


@verb(uses=("manifests", "state", "server", "selector", "lock_timeout"), formats=("text", "json", "yaml"))
@click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
@click.option("--rehearse", metavar="ISSUER", help="Order there too, such as letsencrypt-staging; nothing is stored.")
def preflight(sites: tuple[str, ...], settings: Settings, *, rehearse: str | None) -> int:
    """Look from outside in whether these SITEs (default: all) can get and install their certificates.

    Asks DNS, tries each way to prove a name with an answer of its own that is taken away at once, and looks at the
    state directory, the targets and their commands. No CA is asked but by --rehearse. Exit 0 if nothing is an error.
    """
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.scopes import scope_of
    from reconciler.report.preflight_text import preflight_json

    screen = Screen(settings)
    with opened(settings, screen, "preflight") as app:
        scope = scope_of(app, settings, sites, screen)
        names = sorted(app.tree.glance() if scope.sites is None else scope.sites)
        findings, notes = _looked(app, names, screen, rehearse)
    if settings.output in ("json", "yaml"):
        write(screen, preflight_json(findings, notes, names), settings.output)
    else:
        _show(findings, notes, len(names), screen)
    return 1 if any(one.severity == "error" for one in findings) else 0


def _looked(app: App, names: Sequence[str], screen: Screen, rehearse: str | None) -> tuple[list[Finding], list[str]]:
    from reconciler.execute.preflight.checklist import Checklist

    sites = list(app.tree.declared(names).sites.values())

    def say(text: str) -> None:
        if screen.verbosity > 0:
            screen.tell(text)

    state = app.options.state
    parts = (app.store, app.challenges, app.target, app.store.live_path, state, socket.gethostname(), say)
    checklist = Checklist(*parts)
    findings = [*checklist.run(sites), *_brought(app, sites)]
    if rehearse is not None:
        from reconciler.cli.shared.rehearsing import Rehearsal

        rehearsal = Rehearsal(app, rehearse, say)
        findings += rehearsal.run(sites)
        checklist.notes.extend(rehearsal.notes)
    return findings, checklist.notes


def _brought(app: App, sites: Sequence[DesiredSite]) -> Iterator[Finding]:
    """See that what sites bring can be used, as a pass would judge it."""
    from reconciler.model.findings import Check, Finding, Severity
    from reconciler.plan.issuing.case import Case
    from reconciler.plan.issuing.imports import note_of

    names = [site.name for site in sites]
    live, memory = app.store.live(names), app.store.memory(names)
    for site in sites:
        case = Case(site, live[site.name], memory[site.name], app.clock.now(), app.brought(site.brought))
        note = note_of(case)
        if note is not None and site.brought is not None:
            severity = Severity.ERROR if note.failed else Severity.WARNING
            seen = note.message.removeprefix(f"{site.brought.place}: ")
            expected = "a certificate for the site's names, its chain and its key"
            mend = f"certwright import {site.name} --key FILE --certificate FILE"
            yield Finding(Check.IMPORT, severity, site.brought.place, seen, expected, mend, site.name)


def _show(findings: Sequence[Finding], notes: Sequence[str], sites: int, screen: Screen) -> None:
    from reconciler.report.preflight_text import preflight_lines

    for severity, line in preflight_lines(findings, sites):
        screen.out(line, _COLORS[severity])
    for note in notes:
        screen.note(note)
