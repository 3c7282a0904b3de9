"""`describe`: everything about one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.completing import kinds, names_of_kind
from reconciler.cli.group import verb
from reconciler.cli.names import KINDS, split
from reconciler.cli.screen import Screen
from reconciler.cli.writing import write
from reconciler.errors import UsageError
from reconciler.report.cells import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.cli.settings import Settings
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.model.desired import DesiredSite
    from reconciler.wiring import App

Item = dict[str, Any]
_EVENTS = 10


@verb(uses=("manifests", "state", "server"), formats=("text", "json", "yaml"))
@click.argument("kind", shell_complete=kinds)
@click.argument("name", required=False, shell_complete=names_of_kind)
def describe(kind: str, name: str | None, settings: Settings) -> int:
    """Describe one object: KIND NAME or KIND/NAME.

    Of a site: the effective spec and where each value comes from, conditions, certificate, when it is renewed and why
    then, and what happened last. Of a target: also the lines for the server's own configuration.
    """
    from reconciler.cli.shared.apps import opened

    try:
        plural, names = split(kind, (name,) if name else ())
    except UsageError as error:
        raise error if name or "/" in kind else UsageError(f"{error}; of a Site: describe site {kind}") from None
    if len(names) != 1:
        raise UsageError("describe one object: KIND NAME")
    screen = Screen(settings)
    with opened(settings, screen, "describe", read_only=True, lenient=True) as app:
        app.tree.refresh()
        if plural in ("sites", "certificates"):
            _site(app, names[0], settings, screen)
        elif plural in ("accounts", "holds", "events"):
            raise UsageError(f"{plural} are listed whole: certwright get {plural} -o yaml")
        else:
            _object(app, KINDS[plural], names[0], settings, screen)
    return 0


def _site(app: App, name: str, settings: Settings, screen: Screen) -> None:
    from reconciler.cli.shared.origins import origins_of
    from reconciler.cli.shared.scopes import beside_problems, check_declared
    from reconciler.report.describe_text import describe_text

    check_declared(app, screen, (name,), app.tree.refresh())
    beside_problems(app, screen, (name,))
    item = _item(app, name)
    objects = {(one.kind, one.name): one for one in app.tree.written.resources()}
    site = objects.get(("Site", name))
    server = objects.get(("Server", item["spec"].get("server") or ""))
    origins = origins_of(site, server) if site is not None else {}
    events = [
        {"at": _text(event.last), "reason": event.reason, "message": _counted(event.message, event.count)}
        for event in app.store.events(name)[-_EVENTS:]
    ]
    keys = _keys_of_others(app, name)
    if settings.output == "text":
        screen.out(describe_text(item, app.clock.now(), origins=origins, events=events, keys=keys).rstrip("\n"))
    else:
        write(screen, {**item, "origins": origins, "events": events, "keysOfOthers": keys}, settings.output)


def _keys_of_others(app: App, name: str) -> list[Item]:
    """Give the installed files with the private key that belong neither to root nor to us."""
    import os

    entries = [app.store.inventory_of(target, name) for target in sorted(app.store.targets())]
    files = [file for entry in entries if entry is not None for file in entry.files if file.part.is_secret]
    return [{"path": file.path, "uid": file.uid} for file in files if file.uid not in {0, os.geteuid()}]


def _text(at: Any) -> str | None:  # noqa: ANN401
    from reconciler.report.times import rfc3339

    return rfc3339(at)


def _counted(message: str, count: int) -> str:
    return f"{message} ({count} times)" if count > 1 else message


def _item(app: App, name: str) -> Item:
    """Give the site's item as it is now, with the parts of the effective spec that the list leaves out."""
    from reconciler.cli import views
    from reconciler.model.plain import to_plain
    from reconciler.model.ports import Limits, Scope
    from reconciler.plan.issuing.renewal import duration_text, lookahead_text

    report = app.engine.look(Scope(sites=frozenset({name})), Limits())
    items = views.sites(app.options.state, app.clock.now())
    former = next((one for one in items if at(one, "metadata", "name") == name), None)
    item: Item
    if name in report.declared.sites:
        item = dict(app.engine.viewing(name, report, former))
    else:  # nothing about it has changed since it was seen last
        item = former or {"apiVersion": "certwright/v1", "kind": "Site", "metadata": {"name": name}}
    desired = app.tree.declared([name]).sites[name]
    spec: Item = {**(at(item, "spec") or {})}
    spec["renewal"] = {
        "lookahead": lookahead_text(desired.renewal.lookahead),
        "lookbehind": duration_text(desired.renewal.lookbehind),
        "reissueIssuedBefore": to_plain(desired.renewal.reissue_issued_before),
    }
    spec["failover"] = {"after": duration_text(desired.failover.after), "back": desired.failover.back}
    return {**item, "spec": spec}


def _object(app: App, kind: str, name: str, settings: Settings, screen: Screen) -> None:
    from reconciler.cli.shared.scopes import beside_problems, check_declared
    from reconciler.cli.shared.slow import object_item

    found = {one.name: one for one in app.tree.written.resources() if one.kind == kind}
    check_declared(app, screen, (name,), found, kind)
    beside_problems(app, screen)
    item = object_item(found[name])
    item["effective"] = _effective(found[name])
    item["usedBy"] = _users(app, kind, name)
    if kind == "Target":
        item["paste"] = _paste(app, found[name])
    if settings.output == "text":
        _show(item, screen)
    else:
        write(screen, item, settings.output)


def _effective(resource: Resource) -> Item:
    """Give the spec with its type's defaults; of a provider what its own type has."""
    from reconciler.manifests.kinds.dns_provider import NEEDED

    found: Item = _said(resource.spec.model_dump(mode="json", by_alias=True))
    provider = found.get("provider")
    if isinstance(provider, dict):
        must, may = NEEDED[provider["type"]]
        found["provider"] = {key: value for key, value in provider.items() if key in {"type", *must, *may}}
    return found


def _said(value: Any) -> Any:  # noqa: ANN401  JSON
    """Leave out what says nothing, however deep it stands."""
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items() if item is not None}
    return value


def _users(app: App, kind: str, name: str) -> list[str]:
    """Give the sites that use an object."""
    declared = app.tree.declared(app.tree.refresh())
    used: dict[str, Callable[[DesiredSite], set[str]]] = {
        "Target": lambda site: {use.spec.name for use in site.targets},
        "Issuer": lambda site: {issuer.name for issuer in site.issuers},
        "ChallengeMethod": lambda site: {method.name for ways in site.methods.values() for method in ways},
        "Server": lambda site: {site.server},
    }
    if kind not in used:
        return []
    return sorted(site.name for site in declared.sites.values() if name in used[kind](site))


def _paste(app: App, resource: Resource) -> list[str]:
    """Give the lines that go into the server's own configuration."""
    from reconciler.manifests.resolving.specs import ObjectResolver
    from reconciler.targets.pasting import paste_lines

    spec = ObjectResolver(None, lambda _path: None, []).target(resource)
    return list(paste_lines(spec, app.store.live_path("SITE").rpartition("/")[0]))


def _show(item: Mapping[str, Any], screen: Screen) -> None:
    screen.out(f"{item['kind']} {item['metadata']['name']}  ({item['source'].strip('()')})")
    written = item["spec"]
    for key, value in item["effective"].items():
        origin = "" if key in written else "   (built in)"
        for line in _lines(key, value, origin):
            screen.out(f"  {line}")
    if item["usedBy"]:
        some, rest = item["usedBy"][:20], len(item["usedBy"]) - 20
        screen.out(f"Used by: {', '.join(some)}{f' and {rest:,} more' if rest > 0 else ''}")
    if item.get("paste"):
        screen.out("For the server's own configuration:")
        for line in item["paste"]:
            screen.out(f"  {line}")


def _lines(key: str, value: object, origin: str = "") -> Iterator[str]:
    """Give a field in a line, a mapping with a line for each of its own."""
    if isinstance(value, dict) and value:
        yield f"{key}:{origin}"
        for name, item in value.items():
            yield from (f"  {line}" for line in _lines(name, item))
    else:
        yield f"{key}: {_value(value)}{origin}"


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)
