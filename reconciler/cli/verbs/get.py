"""`get`: lists of things. Sites, certificates, holds and events come out of the cache; the rest is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli import views
from reconciler.cli.completing import kinds, names_of_kind
from reconciler.cli.group import verb
from reconciler.cli.names import KINDS, check, split
from reconciler.cli.screen import Screen
from reconciler.cli.writing import write
from reconciler.report.cells import at
from reconciler.report.rows import rows_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings

Item = dict[str, Any]
_SEEN: Final = frozenset({"sites", "certificates", "holds", "events"})
_HEADS: Final = {"holds": "Hold", "events": "Event"}
_PAUSE: Final = 0.5


@verb(uses=("manifests", "state", "server", "selector"), formats=("text", "wide", "json", "yaml", "name"))
@click.argument("kind", shell_complete=kinds)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=names_of_kind)
@click.option("-w", "--watch", is_flag=True, help="Go on: show what changes.")
@click.option("--no-headers", is_flag=True, help="No line of column names.")
def get(kind: str, names: tuple[str, ...], settings: Settings, *, watch: bool, no_headers: bool) -> int:
    """List what there is of a KIND.

    Kinds: sites, certificates, issuers, targets, challengemethods, hostnamesets, servers, accounts, holds, events.
    NAME is the object's; of holds and events, the site's. `KIND/NAME` works too.
    """
    plural, wanted = split(kind, names)
    screen = Screen(settings)
    if watch and plural not in _SEEN:
        raise click.UsageError(f"-w follows {', '.join(sorted(_SEEN))}; {plural} change with the manifests only")
    if settings.selector is not None and plural == "accounts":
        raise click.UsageError("accounts have no labels: they take no -l")
    items = _items(plural, wanted, settings, screen)
    _show(plural, items, settings, screen, headers=not no_headers)
    if watch:
        _follow(plural, wanted, settings, screen, items)
    return 0


def _items(kind: str, names: Sequence[str], settings: Settings, screen: Screen) -> list[Item]:
    found = _seen(kind, names, settings, screen) if kind in _SEEN else _declared(kind, settings, screen)
    if settings.selector is not None:
        found = _selected(kind, found, settings)
    if kind in _SEEN - {"events"} or names:
        found = _chosen(kind, found, names)
    more = views.wide(settings.state) if kind == "holds" and not names and settings.selector is None else []
    return [_headed(kind, one) for one in (*more, *(one for item in found for one in _parts(kind, item)))]


def _selected(kind: str, found: list[Item], settings: Settings) -> list[Item]:
    """Give what -l selects; an event has its site's labels, as far as that was seen."""
    from reconciler.cli.shared.selectors import selector

    wanted = selector(settings.selector)
    if kind != "events":
        return [item for item in found if wanted.matches(at(item, "metadata", "labels"))]
    labels = {_name(item): at(item, "metadata", "labels") for item in views.sites(settings.state, datetime.now(UTC))}
    return [item for item in found if wanted.matches(labels.get(_name(item)))]


def _chosen(kind: str, found: list[Item], names: Sequence[str]) -> list[Item]:
    if names and kind != "events":
        check(names, {_name(item) for item in found}, KINDS[kind] if kind not in _SEEN else "Site")
    return [item for item in found if not names or _name(item) in names]


def _name(item: Item) -> str:
    return str(at(item, "metadata", "name") or item.get("name") or item.get("site") or "-")


def _seen(kind: str, names: Sequence[str], settings: Settings, screen: Screen) -> list[Item]:
    if kind == "events":
        return views.events(settings.state)
    items = views.sites(settings.state, datetime.now(UTC))
    if items and {_name(item) for item in items}.issuperset(names):
        return items
    from reconciler.cli.shared.slow import look

    return look(settings, screen)


def _declared(kind: str, settings: Settings, screen: Screen) -> list[Item]:
    from reconciler.cli.shared.slow import accounts, objects

    return accounts(settings, screen) if kind == "accounts" else objects(KINDS[kind], settings, screen)


def _parts(kind: str, item: Item) -> list[Item]:
    """Give what a site's item has of a kind."""
    if kind == "holds":
        return views.holds([item])
    if kind == "certificates":
        return [item] if at(item, "status", "certificate") else []
    return [item]


def _headed(kind: str, item: Item) -> Item:
    """Say what an item is, where the cache keeps it as a part of something else."""
    return {"apiVersion": "certwright/v1", "kind": _HEADS[kind], **item} if kind in _HEADS else item


def _show(kind: str, items: list[Item], settings: Settings, screen: Screen, *, headers: bool = True) -> None:
    match settings.output:
        case "json" | "yaml":
            listed = {"apiVersion": "certwright/v1", "kind": "List", "items": items}
            write(screen, listed, settings.output)
        case "name":
            for name in dict.fromkeys(_name(item) for item in items):
                screen.out(f"{kind.removesuffix('s')}/{name}")
        case _ if items:
            is_wide = settings.output == "wide"
            text = rows_text(kind, items, datetime.now(UTC), wide=is_wide, width=screen.width).rstrip("\n")
            screen.out(text if headers else "\n".join(text.split("\n")[1:]))
        case _:
            screen.note(f"no {kind}")


def _follow(kind: str, names: Sequence[str], settings: Settings, screen: Screen, shown: list[Item]) -> None:
    """Show each item that is new or has changed, until interrupted or nobody reads it any more."""
    known = {_key(kind, item): item for item in shown}
    stamp = views.stamp(settings.state)
    while screen.pause(_PAUSE):
        now = views.stamp(settings.state)
        if now == stamp:
            continue
        stamp = now
        items = {_key(kind, item): item for item in _items(kind, names, settings, screen)}
        fresh = [item for key, item in items.items() if known.get(key) != item]
        if fresh and settings.output in ("json", "yaml"):
            for item in fresh:
                write(screen, item, settings.output)
        elif fresh:
            _show(kind, fresh, settings, screen, headers=False)
        known = items


def _key(kind: str, item: Item) -> str:
    parts = (item.get("reason"), item.get("message"), item.get("first")) if kind in ("holds", "events") else ()
    return "\0".join(str(part) for part in (_name(item), *parts))
