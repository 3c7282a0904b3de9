"""`rollback`: a stored certificate goes live again, and stays until a person or its end says otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings
    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import Revision
    from reconciler.wiring import App

_USES = ("manifests", "state", "server", "lock_timeout")


@verb(uses=_USES, formats=("text", "json", "yaml"))
@click.argument("site", metavar="SITE", shell_complete=site_names)
@click.argument("revision", metavar="[REVISION]", required=False)
def rollback(site: str, revision: str | None, settings: Settings) -> int:
    """Go back to a stored certificate of SITE that is still valid: REVISION, or the newest before the one in use.

    It is installed and stays until `renew`, a changed manifest, or a sixth of its lifetime is left. Exit 0 if it is
    served (or Ready, where nothing is looked at).
    """
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.converging import Run, not_ready
    from reconciler.cli.shared.scopes import check_undamaged, scope_of
    from reconciler.cli.signals import stopping
    from reconciler.model.ports import Limits, Scope

    screen = Screen(settings)
    with opened(settings, screen, "rollback") as app, stopping(app, screen) as caught:
        names = scope_of(app, settings, (site,), screen).sites or frozenset()
        (declared,) = app.tree.declared(names).sites.values()
        check_undamaged(app, declared.name)
        chosen = _go_back(app, declared, revision)
        screen.note(f"site/{declared.name}: {chosen.id} is in use again; `certwright renew {declared.name}` ends that")
        scope = Scope(sites=names)
        results = Run(app, settings, screen).converge(scope, Limits())
        return caught.code(results.code(not_ready(app, scope, results)))


def _go_back(app: App, site: DesiredSite, wanted: str | None) -> Revision:
    """Let the revision go live and pin it there."""
    from reconciler.model.observed import Pin

    with app.store.claim(f"site/{site.name}", "rollback", app.options.lock_timeout) as lease:
        live = app.store.live([site.name])[site.name]
        present = None if live.type == "none" else live.id
        chosen = _chosen(app.store.revisions(site.name), present, wanted, app)
        pin = Pin(chosen.id, site.digest)
        # first: a pin of a revision that is not live means nothing, an unpinned one would be replaced at once
        app.store.remember(site.name, lambda memory: replace(memory, pinned=pin, rejected={}, renew_requested=None))
        if chosen.id != present:
            app.store.activate(lease, site.name, chosen.id, present)
    app.store.event(site.name, "Pinned", f"went back to {chosen.id}", app.clock.now())
    return chosen


def _chosen(stored: Sequence[Revision], present: str | None, wanted: str | None, app: App) -> Revision:
    now = app.clock.now()
    good = [one for one in stored if not one.meta.placeholder and one.facts.not_after > now]
    if wanted is not None:
        found = next((one for one in good if one.id == wanted), None)
        if found is None:
            known = ", ".join(one.id for one in good) or "there is none"
            raise click.UsageError(f"no revision {wanted!a} that is still valid is stored; valid are: {known}")
        return found
    at = next((one.meta.at for one in good if one.id == present), None)
    older = [one for one in good if one.id != present and (at is None or one.meta.at <= at)]
    if not older:
        raise click.UsageError("no earlier certificate that is still valid is stored")
    return older[0]
