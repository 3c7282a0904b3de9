"""`wait`: until a site is as its manifest says now."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli import views
from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.names import check, kind_of
from reconciler.cli.screen import RED, Screen
from reconciler.cli.settings import Duration
from reconciler.cli.writing import write
from reconciler.errors import UsageError
from reconciler.report.cells import at, condition

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings
    from reconciler.wiring import App

_CONDITIONS: Final = ("Issued", "Installed", "Served", "Covered", "Ready", "Stalled", "Moved")
_FOR: Final = re.compile(r"condition=([A-Za-z]{1,20})(?:=(true|false|unknown))?", re.ASCII | re.IGNORECASE)
_PAUSE: Final = 0.3


@verb(uses=("manifests", "state", "server"), formats=("text", "json", "yaml"))
@click.argument("name", metavar="site/NAME", shell_complete=site_names)
@click.option(
    "--for", "wanted", default="condition=Ready", show_default=True, help="condition=TYPE or condition=TYPE=False"
)
@click.option("--timeout", type=Duration(), default=60.0, show_default="60s", help="How long to wait.")
def wait(name: str, wanted: str, timeout: float, settings: Settings) -> int:
    """Wait until a site meets a condition, compared with its manifest on disk now; other manifests may be broken.

    Exit 0 once it does, 1 if the time is up, 2 if no manifest declares the site.
    """
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.scopes import beside_problems, check_declared

    site = _site(name)
    kind, status = _condition(wanted)
    screen = Screen(settings)
    with opened(settings, screen, "wait", read_only=True, lenient=True) as app:
        check_declared(app, screen, (site,), app.tree.refresh())
        beside_problems(app, screen, (site,))
        deadline = app.clock.monotonic() + timeout
        while True:
            item, told = _look(app, settings, site, kind)
            met = told[0] == status
            if met or app.clock.monotonic() >= deadline:
                break
            app.clock.wait(min(_PAUSE, max(deadline - app.clock.monotonic(), 0.01)))
    if settings.output != "text":
        write(screen, item or _unseen(site), settings.output)
    elif met:
        screen.out(f"site/{site}: {kind} is {status}")
    if not met:
        screen.tell(f"site/{site}: {kind} is {told[0]} after {timeout:g} s: {told[1]}", RED)
    return 0 if met else 1


def _unseen(site: str) -> dict[str, Any]:
    """Give the item of a site that no pass has looked at."""
    metadata = {"name": site, "labels": {}, "annotations": {}}
    return {"apiVersion": "certwright/v1", "kind": "Site", "metadata": metadata}


def _site(name: str) -> str:
    kind, _, rest = name.rpartition("/")
    if kind and kind_of(kind) not in ("sites", "certificates"):
        raise UsageError(f"only sites have conditions; {name} is none")
    return rest


def _condition(wanted: str) -> tuple[str, str]:
    match = _FOR.fullmatch(wanted)
    known = {one.lower(): one for one in _CONDITIONS}
    if match is None or match[1].lower() not in known:
        raise UsageError(f"--for={wanted}: write condition=TYPE, where TYPE is one of {', '.join(_CONDITIONS)}")
    return known[match[1].lower()], (match[2] or "True").capitalize()


def _look(app: App, settings: Settings, site: str, kind: str) -> tuple[dict[str, Any] | None, tuple[str, str]]:
    """Give the site's item, the condition's status and a sentence; what was seen of an older manifest is Unknown."""
    digests = app.tree.refresh()
    check((site,), digests)
    broken = next((hold for hold in app.tree.declared((site,)).held if hold.site == site), None)
    items = views.sites(settings.state, datetime.now(UTC))
    item = next((one for one in items if at(one, "metadata", "name") == site), None)
    if item is None:
        return None, ("Unknown", "declared, but no pass has seen it yet; is `certwright run` running?")
    if broken is not None:
        return item, ("Unknown", f"{broken.reason}: {broken.message}")
    if at(item, "status", "specDigest") != digests[site]:
        return item, (
            "Unknown",
            "the manifest has changed, and no pass has seen that yet; is `certwright run` running?",
        )
    one = condition(item, kind)
    absent = "False" if kind in ("Stalled", "Moved") else "Unknown"
    return item, (str(one.get("status") or absent), f"{one.get('reason')}: {one.get('message')}")
