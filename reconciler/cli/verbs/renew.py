"""`renew` and `retry`: a person's wish is written down first, then the sites are converged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import RED, Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.cli.settings import Settings
    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Lease, Scope
    from reconciler.wiring import App

_USES = ("manifests", "state", "server", "selector", "lock_timeout")
_FORMATS = ("text", "json", "yaml")


def _which(function: Callable[..., Any]) -> Callable[..., Any]:
    named = click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
    return named(click.option("--all", "everything", is_flag=True, help="All sites of the tree.")(function))


@verb(uses=_USES, formats=_FORMATS)
@_which
def renew(sites: tuple[str, ...], settings: Settings, *, everything: bool) -> int:
    """Get new certificates now for these SITEs, those that -l selects, or --all; nothing else of them changes.

    Returns when they are served, or it failed. Exit 0 only if all of them are served (or Ready, where nothing is
    looked at).
    """
    return _wished("renew", sites, settings, ask_renewal, everything=everything)


@verb(uses=_USES, formats=_FORMATS)
@_which
def retry(sites: tuple[str, ...], settings: Settings, *, everything: bool) -> int:
    """Try again now what backs off or is stalled; a CA's limit is kept until the time that it named."""
    return _wished("retry", sites, settings, forget_failures, everything=everything)


def _wished(
    name: str, sites: tuple[str, ...], settings: Settings, wish: Callable[[App, Scope], str | None], *, everything: bool
) -> int:
    if everything and (sites or settings.selector):
        raise click.UsageError("--all is all: it goes without SITE and -l")
    if not (everything or sites or settings.selector):
        raise click.UsageError(f"`{name}` needs to know which: SITE..., -l LABELS, or --all")
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.converging import Run, not_ready
    from reconciler.cli.shared.scopes import scope_of
    from reconciler.cli.signals import stopping
    from reconciler.model.ports import Limits, Scope

    screen = Screen(settings)
    with opened(settings, screen, name) as app, stopping(app, screen) as caught:
        chosen = scope_of(app, settings, sites, screen)
        names = frozenset(app.tree.glance()) if chosen.sites is None else chosen.sites
        scope = Scope(sites=names, follows=chosen.follows)
        run = Run(app, settings, screen, asked=wish(app, scope))
        results = run.converge(scope, Limits(reissues=len(names)))
        code = results.code(not_ready(app, scope, results))
        left = _left(app, names) if name == "renew" else []
        theirs = _withdrawn(app, left)
        for site in left:
            end = f"a certificate that was brought is not; bring a new one: certwright import {site}"
            more = end if site in theirs else f"`certwright why {site}` says more"
            screen.tell(f"site/{site}: not renewed; {more}", RED)
        return caught.code(max(code, 1) if left else code)


def ask_renewal(app: App, scope: Scope) -> str | None:
    """Write the wish down and give its name, by which a certificate that answers it is known."""
    from reconciler.report.times import rfc3339

    now, names = rfc3339(app.clock.now()), scope.sites or frozenset()
    for site in sorted(names - app.store.damage(names).keys()):
        app.store.remember(site, lambda memory: replace(memory, renew_requested=now))
    return now


def _left(app: App, names: Collection[str]) -> list[str]:
    """Give the sites whose request still stands."""
    return sorted(name for name, memory in app.store.memory(names).items() if memory.renew_requested)


def _withdrawn(app: App, sites: Collection[str]) -> Collection[str]:
    """Take the request back from those of these sites that nobody but a person can renew; give them."""
    from reconciler.model.ports import Limits, Scope

    declared = app.tree.declared(sites).sites
    theirs = sorted(name for name, site in declared.items() if all(one.type == "imported" for one in site.issuers))
    for name in theirs:
        app.store.remember(name, lambda memory: replace(memory, renew_requested=None))
    if theirs:  # what is shown of them must not tell of it any more
        app.engine.note(app.engine.look(Scope(sites=frozenset(theirs)), Limits()))
    return theirs


def forget_failures(app: App, scope: Scope) -> None:
    """Clear what holds these sites back, save a CA's limit until it said; orders in a person's hands go on."""
    from reconciler.model.observed import Failures, Memory, NameMemory
    from reconciler.plan.backoff import NEVER_RELEASED

    kept = {reason.value for reason in NEVER_RELEASED}

    def released(memory: Memory) -> Memory:
        left = {
            work: replace(one, next_attempt=min(filter(None, (one.limit, one.next_attempt)), default=None))
            for work, one in memory.failures.items()
            if one.last is not None and one.last.reason in kept
        }
        names = {
            name: NameMemory(Failures(digest=one.failures.digest), {}, one.dropped)
            for name, one in memory.names.items()
        }
        return replace(memory, failures=left, names=names)  # `rejected` stays: it must be proven this time

    asked = scope.sites or frozenset()
    names = asked - app.store.damage(asked).keys()
    for site in sorted(names):
        app.store.remember(site, released)
    declared = app.tree.declared(names)
    _let_go(app, declared.sites)
    for target, record in app.store.targets().items():
        if target in declared.targets and record.failures != Failures():
            with app.store.claim(f"target/{target}", "retry", app.options.lock_timeout) as lease:
                now = app.store.targets().get(target)  # who held it before us may have changed it, or taken it away
                if now is not None:
                    app.store.put_target(lease, replace(now, failures=Failures()))


def _let_go(app: App, sites: Mapping[str, DesiredSite]) -> None:
    """Let orders that a person held go on by themselves; where the manifest says `stopAt`, begin anew."""
    for name, order in app.store.orders(list(sites)).items():
        if order.stage == "byHand":
            with app.store.claim(f"site/{name}", "retry", app.options.lock_timeout) as lease:
                _let_one_go(app, lease, sites[name])


def _let_one_go(app: App, lease: Lease, site: DesiredSite) -> None:
    order = app.store.orders([site.name]).get(site.name)
    if order is None or order.stage != "byHand":
        return  # who held the site before us has ended the order, or let it go
    if site.stop_at is not None:
        app.store.drop_order(lease, site.name, keep_key=True)
    else:
        app.store.put_order(lease, site.name, replace(order, stage="auto"))
