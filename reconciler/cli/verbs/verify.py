"""`verify`: shake hands with what is installed, now."""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import RED, Screen
from reconciler.cli.writing import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings
    from reconciler.model.desired import StartTlsProtocol

_LAST_PORT: Final = 65_535
_PLACE: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", re.ASCII)


@verb(uses=("manifests", "state", "server", "selector"), formats=("text", "wide", "json", "yaml"))
@click.argument("what", nargs=-1, metavar="[SITE | HOST:PORT]...", shell_complete=site_names)
@click.option("--sni", metavar="NAME", help="The name to ask for. [each hostname of a site; HOST]")
@click.option(
    "--starttls",
    type=click.Choice(("imap", "pop3", "smtp")),
    help="The protocol that HOST:PORT speaks before TLS. [TLS from the first byte]",
)
def verify(what: tuple[str, ...], settings: Settings, *, sni: str | None, starttls: StartTlsProtocol | None) -> int:
    """Shake hands now with every target of these SITEs (default: all), or with HOST:PORT; tell what is served.

    Exit 0 if everything shows the certificate that it should, 1 if not, or if a broken manifest hides what to look at.
    """
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.handshakes import Checks

    screen = Screen(settings)
    if starttls and not any(map(_PLACE.fullmatch, what)):
        raise click.UsageError("--starttls is about HOST:PORT; a site's Target says it in `verify.ports`")
    places = [_place(match) for word in what if (match := _PLACE.fullmatch(word))]
    sites = [word.removeprefix("site/") for word in what if not _PLACE.fullmatch(word)]
    with opened(settings, screen, "verify", read_only=True, lenient=True) as app:
        checks, unknown = Checks(app), False
        if sites or not places:
            chosen, unknown = _chosen(app, settings, sites, screen)
            checks.add_sites(chosen, sni)
        for host, port in places:
            checks.add_place(host, port, sni, starttls)
        items = checks.run()
        for site in checks.unseen:
            screen.note(f"site/{site}: none of its targets has ports to look at (Target `verify.ports`)")
    ok = all(item["ok"] for item in items) and not unknown
    if settings.output in ("json", "yaml"):
        write(
            screen,
            {"apiVersion": "certwright/v1", "kind": "VerifyReport", "ok": ok, "items": items},
            settings.output,
        )
    else:
        _show(items, screen, wide=settings.output == "wide")
    return 0 if ok else 1


def _place(match: re.Match[str]) -> tuple[str, int]:
    port = int(match["port"])
    if not 0 < port <= _LAST_PORT:
        raise click.UsageError(f"{match[0]}: a port is a number from 1 to {_LAST_PORT}")
    return match["six"] or match["host"], port


def _chosen(app: Any, settings: Settings, sites: Sequence[str], screen: Screen) -> tuple[list[str], bool]:  # noqa: ANN401
    """Give the sites to look at; and whether all are meant and there is one of which nothing is known to look at."""
    from reconciler.cli.shared.scopes import beside_problems, scope_of

    scope = scope_of(app, settings, sites, screen)
    beside_problems(app, screen, scope.sites or ())
    known = app.tree.glance()
    if scope.sites is not None:
        return sorted(scope.sites), False
    unknown = sorted({hold.site or "" for hold in app.tree.declared(()).held} - known.keys())
    for site in filter(None, unknown):
        screen.tell(f"site/{site}: not looked at, since it has no last good meaning: mend its manifest", RED)
    return sorted(known), bool(unknown)


def _show(items: Sequence[dict[str, Any]], screen: Screen, *, wide: bool) -> None:
    from reconciler.report.cells import shown, table

    if not items:
        return
    head = ("SITE", "TARGET", "ADDRESS", "NAME", "OK", "REASON", "FINGERPRINT", "ENDS")
    rows = [
        (
            shown(item["site"]),
            shown(item["target"]),
            _where(item) + (f" ({item['starttls']})" if item["starttls"] else ""),
            shown(item["sni"]),
            "yes" if item["ok"] else "NO",
            shown(item["reason"]),
            shown(item["fingerprint"], 1000 if wide else 16),
            shown(item["notAfter"]),
        )
        for item in items
    ]
    screen.out(table(head, rows).rstrip("\n"))
    for step, wrong in groupby((item for item in items if not item["ok"]), key=itemgetter("next")):
        for item in wrong:
            name = f"{item['sni']} at " if item["sni"] else ""
            screen.out(f"{name}{_where(item)}: {item['message']}", RED)
        if step:
            screen.out(f"        next: {step}")


def _where(item: dict[str, Any]) -> str:
    address = f"[{item['address']}]" if ":" in item["address"] else item["address"]
    return f"{address}:{item['port']}"
