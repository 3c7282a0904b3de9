"""`status`: at a glance."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli import views
from reconciler.cli.aiming import aimed
from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.names import check
from reconciler.cli.screen import Screen
from reconciler.cli.writing import write
from reconciler.report.cells import at, condition
from reconciler.report.status_text import grade, status_text
from reconciler.report.waits import NOBODYS, WAITS, is_failed_hold

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.cli.settings import Settings


@verb(uses=("manifests", "state", "server", "selector"), formats=("text", "json", "yaml"))
@click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
def status(sites: tuple[str, ...], settings: Settings) -> int:
    """Tell how many sites are Ready, wait or fail, what is held for all of them, and the ten worst with the next step.

    It tells what the last pass saw, and asks nobody: an edit that no pass has seen yet is shown by `diff`.

    Exit 0 if nothing fails, 1 if something does, 4 if sites only wait for a limit that is nobody's failure.
    """
    screen = Screen(settings)
    now = datetime.now(UTC)
    items = _items([name.removeprefix("site/") for name in sites], settings, screen, now)
    source = views.source(settings.state)
    whole = not sites and settings.selector is None
    wide = views.wide(settings.state) if whole else []
    unseen = views.unseen(settings.state, items) if whole else 0
    if settings.output == "text":
        # the last column of its table is a command too
        screen.out(aimed(status_text(items, now, source, wide, unseen).rstrip("\n"), settings.given))
    else:
        write(screen, _value(items, source, wide, unseen), settings.output)
    return 1 if any(is_failed_hold(str(hold["reason"]), failed=hold["failed"]) for hold in wide) else _code(items)


def _items(sites: Collection[str], settings: Settings, screen: Screen, now: datetime) -> list[dict[str, Any]]:
    items = views.sites(settings.state, now)
    if not items or not _names(items).issuperset(sites):
        from reconciler.cli.shared.slow import look

        items = look(settings, screen)
    check(sites, _names(items))
    named = [item for item in items if not sites or at(item, "metadata", "name") in sites]
    if settings.selector is None:
        return named
    from reconciler.cli.shared.selectors import selector

    wanted = selector(settings.selector)
    return [item for item in named if wanted.matches(at(item, "metadata", "labels"))]


def _names(items: Collection[dict[str, Any]]) -> set[str]:
    return {str(at(item, "metadata", "name")) for item in items}


def _value(items: list[dict[str, Any]], source: str | None, wide: list[dict[str, Any]], unseen: int) -> dict[str, Any]:
    counts = Counter(grade(item) for item in items)
    worse = [item for item in items if grade(item) != "ready"]
    numbers = {**{word: counts[word] for word in ("ready", "waiting", "failing")}, "unseen": unseen}
    head = {"apiVersion": "certwright/v1", "kind": "Status", "source": source, "counts": numbers}
    return {**head, "holds": wide, "items": worse}


def _code(items: list[dict[str, Any]]) -> int:
    if any(grade(item) == "failing" for item in items):
        return 1
    waits = (condition(item, "Ready").get("reason") for item in items if grade(item) == "waiting")
    return WAITS if any(reason in NOBODYS for reason in waits) else 0
