"""`challenges`, `solve` and `request`: an order taken apart, so that the middle may be done by hand or elsewhere."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import RED, Screen
from reconciler.cli.writing import write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from reconciler.cli.settings import Settings
    from reconciler.errors import CertwrightError
    from reconciler.execute.sites.stages import Stages
    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.stages import Offer, Way
    from reconciler.wiring import App

_USES = ("manifests", "state", "server", "lock_timeout")
_FORMATS = ("text", "json", "yaml")
TYPES: Final = ("http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01")


@verb(uses=_USES, formats=_FORMATS)
@click.argument("site", shell_complete=site_names)
def challenges(site: str, settings: Settings) -> int:
    """Make the order of a SITE, or resume it, and print every challenge of every name.

    The order is a person's from then on: `solve` proves its names, `request` ends it, `retry` lets it go on by itself.
    Exit 4 if the CA's limits allow no order now.
    """
    from reconciler.cli.shared.apps import opened

    screen = Screen(settings)
    with opened(settings, screen, "challenges") as app:
        desired = _declared(app, site)
        try:
            _check_free(desired)
            offer = app.stages.offer(desired, _issuer(app, desired))
        except _failures() as failure:
            return _told("challenges", screen, settings, desired, failure)
        finally:
            _noted(app, desired)
        _show(screen, settings, app, desired, offer)
    return 0


@verb(uses=_USES, formats=_FORMATS)
@click.argument("site", shell_complete=site_names)
@click.argument("ways", nargs=-1, metavar="[NAME=METHOD]...")
def solve(site: str, ways: tuple[str, ...], settings: Settings) -> int:
    """Prove names of the order of a SITE: all as declared, or each NAME by a METHOD.

    METHOD is the name of any ChallengeMethod of the tree (present, check, answer, clean up) or a type such as dns-01:
    then somebody else has published the answer, and the CA is only told to look. Exit 0 if every named hostname is
    proven.
    """
    from reconciler.cli.shared.apps import opened

    screen = Screen(settings)
    with opened(settings, screen, "solve") as app:
        desired = _declared(app, site)
        stages: Stages = app.stages
        before: Offer | None = None
        try:
            _check_free(desired)
            before = stages.prove(desired, {})
            chosen = _chosen(app, desired, before, ways)
            before = before.by(chosen)
            offer = stages.prove(desired, chosen)
        except _failures() as failure:
            return _told("solve", screen, settings, desired, failure, before)
        finally:
            _noted(app, desired)
        named = {name for name, _ in _read(ways)} or set(desired.names)
        _show(screen, settings, app, desired, offer, named)
        return 1 if named & set(offer.missing) else 0


@verb(uses=_USES, formats=_FORMATS)
@click.argument("site", shell_complete=site_names)
def request(site: str, settings: Settings) -> int:
    """End the order of a SITE whose names are proven: fetch the certificate, store it, install it."""
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.converging import Run, not_ready
    from reconciler.cli.signals import stopping
    from reconciler.model.ports import Limits, Scope
    from reconciler.report.challenge_item import removable

    screen = Screen(settings)
    with opened(settings, screen, "request") as app, stopping(app, screen) as caught:
        desired = _declared(app, site)
        try:
            _check_free(desired)
            offer = app.stages.prove(desired, {})
        except _failures() as failure:
            return _told("request", screen, settings, desired, failure)
        if not _is_ready(screen, settings, desired, offer):
            return 1
        _let_go(app, desired)
        scope = Scope(sites=frozenset({desired.name}))
        run = Run(app, settings, screen)
        run.results.more = {"removable": removable(offer)}
        results = run.converge(scope, Limits(reissues=1))
        _tell_removable(screen, settings, removable(offer))
        code = results.code(not_ready(app, scope, results))
        if app.store.memory([desired.name])[desired.name].renew_requested:
            screen.tell(f"site/{site}: no certificate was made; `certwright why {site}` says more", RED)
            code = code or 1
        return caught.code(code)


def _failures() -> tuple[type[CertwrightError], ...]:
    from reconciler.errors import Failed, Stalled, Transient, Waiting

    return Failed, Stalled, Transient, Waiting


def _told(
    verb: str,
    screen: Screen,
    settings: Settings,
    site: DesiredSite,
    failure: CertwrightError,
    before: Offer | None = None,
) -> int:
    """Tell of a failure, each name with the CA's own words, and what to do about it. Give the exit code."""
    from reconciler.errors import NamesFailed
    from reconciler.report.challenge_item import removable_after
    from reconciler.report.challenge_list import failed_list
    from reconciler.report.challenge_next import words_after
    from reconciler.report.exit_code import exit_code_of_failures

    parts = failure.failures if isinstance(failure, NamesFailed) else (failure,)
    for one in parts:
        url, hostname = getattr(one, "url", None), getattr(one, "hostname", None)
        name = f"{hostname}: " if hostname and not str(one).startswith(hostname) else ""
        screen.tell(f"site/{site.name}: {name}{one}" + (f" ({url})" if url else ""), RED)
    _tell_removable(screen, settings, removable_after(before, failure))
    screen.tell(f"next: {words_after(verb, site.name, failure)}")
    if settings.output != "text":
        write(screen, failed_list(verb, site.name, site.names, before, failure), settings.output)
    return exit_code_of_failures(getattr(one, "reason", "") for one in parts)


def _tell_removable(screen: Screen, settings: Settings, things: Sequence[dict[str, Any]]) -> None:
    """Name what was published by hand and is no longer needed; the JSON holds it by itself."""
    from reconciler.report.challenge_item import removable_text

    words = removable_text(things)
    if words and settings.output == "text":
        screen.out(words)


def _noted(app: App, site: DesiredSite) -> None:
    """Let `status` and `get` tell of the order as it stands now."""
    from reconciler.model.ports import Limits, Scope

    app.engine.note(app.engine.look(Scope(sites=frozenset({site.name})), Limits()))


def _declared(app: App, site: str) -> DesiredSite:
    from reconciler.cli.names import check
    from reconciler.cli.shared.scopes import check_undamaged

    name = site.removeprefix("site/")
    check((name,), app.tree.refresh())
    check_undamaged(app, name)
    return app.tree.declared([name]).sites[name]


def _check_free(site: DesiredSite) -> None:
    """Raise Stalled where nothing at all is to be changed: no order is made, and no record written."""
    from reconciler.errors import Stalled
    from reconciler.model.changes import Reason

    if site.suspend:
        message = f"{site.name} is suspended: nothing is ordered or proven for it"
        raise Stalled(Reason.SUSPENDED, message, "`suspend` is taken out of the Site")


def _issuer(app: App, site: DesiredSite) -> IssuerSpec:
    """Give the issuer that a pass would ask now; raises UsageError where it asks for no proof."""
    from reconciler.errors import UsageError
    from reconciler.plan.issuing.case import Case
    from reconciler.plan.issuing.picking import pick_issuer

    live, memory = app.store.live([site.name])[site.name], app.store.memory([site.name])[site.name]
    spec = pick_issuer(Case(site, live, memory, app.clock.now(), app.brought(site.brought)))
    if spec.type != "acme":
        raise UsageError(
            f"{spec.name}, the issuer of {site.name}, asks for no challenges: `certwright apply {site.name}`"
        )
    return spec


def _show(
    screen: Screen, settings: Settings, app: App, site: DesiredSite, offer: Offer, asked: Collection[str] = ()
) -> None:
    from reconciler.report.challenge_list import challenge_list, offer_text

    if settings.output == "text":
        screen.out(offer_text(site.name, offer, app.clock.now()))
    else:
        write(screen, challenge_list(site.name, offer, asked), settings.output)


def _chosen(app: App, site: DesiredSite, offer: Offer, ways: Sequence[str]) -> dict[str, Way]:
    """Read NAME=METHOD; without any, each name that is not proven goes by its first declared way that is offered."""
    from reconciler.errors import UsageError

    if not ways:
        return {name: way for name in offer.missing if (way := _declared_way(site, offer, name)) is not None}
    names = {one.hostname for one in offer.names}
    chosen: dict[str, Way] = {}
    for name, method in _read(ways):
        if name not in names:
            raise UsageError(f"{name} is not among the names of the order: {', '.join(sorted(names))}")
        if name in chosen:
            raise UsageError(f"{name} is named twice: say one METHOD for it")
        chosen[name] = _way(app, site, method)
    return {name: way for name, way in chosen.items() if name in offer.missing}


def _read(ways: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Split each NAME=METHOD, the name as an order has it: a person may write it as it stands in the manifest."""
    from reconciler.doors.hostnames import parse_hostname
    from reconciler.errors import UsageError

    for text in ways:
        name, equals, method = text.partition("=")
        if not equals or not method:
            raise UsageError(f"{text!r} is not NAME=METHOD")
        with suppress(ValueError):
            name, _ = parse_hostname(name, public=False)
        yield name, method


def _way(app: App, site: DesiredSite, word: str) -> Way:
    from reconciler.cli.names import hint
    from reconciler.errors import UsageError
    from reconciler.model.stages import Way

    if word in TYPES:
        return Way(word, present=False)
    methods = app.tree.written.methods(site.server)
    if word not in methods:
        near = hint(word, [*methods, *TYPES])
        raise UsageError(f"{word!r} is neither a ChallengeMethod of the tree nor a type of challenge: {near}")
    return Way(methods[word].type, methods[word])


def _declared_way(site: DesiredSite, offer: Offer, name: str) -> Way | None:
    from reconciler.errors import Stalled
    from reconciler.model.stages import Way

    found = next(one for one in offer.names if one.hostname == name)
    offered = [one.type for one in found.challenges]
    method = next((one for one in site.methods.get(name, ()) if one.type in offered), None)
    if method is None:
        message = f"{name}: no declared method is of an offered type ({', '.join(offered) or 'none'})"
        raise Stalled("NoUsableChallenge", message, "a way is named: NAME=TYPE", name)
    return Way(method.type, method)


def _is_ready(screen: Screen, settings: Settings, site: DesiredSite, offer: Offer) -> bool:
    from reconciler.errors import Failed

    failure = None
    if offer.missing:
        words = f"not proven yet: {', '.join(offer.missing)}; nothing was installed"
        failure = Failed("WaitingForSolve", words)
    elif {one.hostname for one in offer.names} != set(site.names):
        failure = Failed("OrderGone", "the order is for other names than are declared now")
    if failure is not None:
        _told("request", screen, settings, site, failure, offer)
    return failure is None


def _let_go(app: App, site: DesiredSite) -> None:
    """Let the order go on, and ask for the certificate also where the one in use would still do."""
    from reconciler.model.ports import Scope
    from reconciler.report.times import rfc3339

    now = rfc3339(app.clock.now())
    app.stages.let_go(site)
    app.store.remember(site.name, lambda memory: replace(memory, renew_requested=now))
    from reconciler.cli.verbs.renew import forget_failures

    forget_failures(app, Scope(sites=frozenset({site.name})))
