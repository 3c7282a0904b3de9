"""Rows for `get`, made of plain JSON items alone. The columns of sites are a contract. Imports nothing of the model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.report.cells import NONE, at, condition, listed, shown, table
from reconciler.report.times import parsed, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    Row = Callable[[Mapping[str, Any], datetime], tuple[str, ...]]

_NAMES: Final = 2
_MESSAGE: Final = "MESSAGE"
_PLACE: Final = re.compile(r"/\S+?:\d+(:\d+)?")


def rows_text(
    kind: str, items: Iterable[Mapping[str, Any]], now: datetime, *, wide: bool = False, width: int | None = None
) -> str:
    """Give the table of a kind (`sites`, `certificates`, `holds`, ...); `wide` shows cells whole.

    A message is cut by the terminal's `width` alone, in columns: None where there is no terminal.
    """
    header, row = KINDS.get(kind, (("NAME",), _named))
    cells = (row(item, now) for item in items)
    if wide:
        return table(header, cells)
    text = table(header, (tuple(map(_shortened, header, line)) for line in cells))
    if width is None or _MESSAGE not in header:
        return text
    return "".join(_fitted(line, width) + "\n" for line in text.splitlines())


def _shortened(column: str, cell: str) -> str:
    return cell if column == _MESSAGE else _cut(cell)


def _fitted(line: str, width: int) -> str:
    """Cut a line at the terminal's width, or where the line number ends that a person is to look at."""
    place = _PLACE.search(line)
    return _cut(line, max(width, place.end() + 1 if place is not None else 0))


def _cut(cell: str, most: int = 60) -> str:
    return cell if len(cell) <= most else cell[: most - 1] + "…"


def site_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    """Give NAME READY REASON HOSTNAMES ISSUER EXPIRES RENEWS."""
    ready = condition(item, "Ready")
    issuer = at(item, "status", "certificate", "issuer") or next(iter(listed(at(item, "spec", "issuers"))), None)
    return (
        shown(at(item, "metadata", "name")),
        shown(ready.get("status") or "Unknown"),
        shown(ready.get("reason") or "NotYetSeen"),
        names_cell(at(item, "spec", "hostnames")),
        shown(issuer),
        when(at(item, "status", "certificate", "notAfter"), now),
        when(at(item, "status", "renewal", "at"), now),
    )


def names_cell(names: object) -> str:
    """Give the first two names and count the rest."""
    texts = [shown(name) for name in listed(names)]
    rest = f" +{len(texts) - _NAMES}" if len(texts) > _NAMES else ""
    return (",".join(texts[:_NAMES]) + rest) or NONE


def when(text: object, now: datetime) -> str:
    """Give how far away a time is."""
    moment = parsed(text)
    return relative(moment, now) if moment is not None else NONE


def _certificate_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    certificate = at(item, "status", "certificate")
    return (
        shown(at(item, "metadata", "name")),
        shown(at(certificate, "revision")),
        names_cell(at(certificate, "hostnames")),
        shown(at(certificate, "keyType")),
        shown(at(certificate, "issuer")),
        when(at(certificate, "notAfter"), now),
        shown(at(certificate, "serial"), 20),
    )


def _hold_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    end = when(item.get("until"), now) if item.get("until") else shown(item.get("endsWhen"))
    return (
        shown(item.get("site")),
        shown(item.get("target")),
        shown(item.get("reason")),
        end,
        shown(item.get("message")),
    )


def _event_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    return (when(item.get("at"), now), shown(item.get("site")), shown(item.get("reason")), shown(item.get("message")))


def _spec_row(*fields: str) -> Row:
    def row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
        del now
        cells = (at(item, "spec", field) or at(item, "effective", field) for field in fields)
        return (shown(at(item, "metadata", "name")), *(_value(cell) for cell in cells))

    return row


def _value(value: object) -> str:
    return ",".join(shown(one) for one in value) or NONE if isinstance(value, list) else shown(value)


def _set_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    del now
    return (shown(at(item, "metadata", "name")), names_cell(at(item, "spec", "hostnames")))


def _account_row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    del now
    return (shown(item.get("name")), shown(item.get("directory")), shown(item.get("url")), _value(item.get("contact")))


def _named(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    del now
    return (shown(at(item, "metadata", "name")),)


KINDS: Final[dict[str, tuple[tuple[str, ...], Row]]] = {
    "sites": (("NAME", "READY", "REASON", "HOSTNAMES", "ISSUER", "EXPIRES", "RENEWS"), site_row),
    "certificates": (
        ("NAME", "REVISION", "HOSTNAMES", "KEY", "ISSUER", "EXPIRES", "SERIAL"),
        _certificate_row,
    ),
    "issuers": (("NAME", "TYPE", "TRUST", "DIRECTORY"), _spec_row("type", "trust", "directory")),
    "targets": (("NAME", "TYPE", "LAYOUT", "DIRECTORY"), _spec_row("type", "layout", "configDirectory")),
    "challengemethods": (("NAME", "TYPE"), _spec_row("type")),
    "hostnamesets": (("NAME", "HOSTNAMES"), _set_row),
    "servers": (("NAME", "HOSTNAME", "EMAIL"), _spec_row("hostname", "email")),
    "accounts": (("NAME", "DIRECTORY", "URL", "CONTACT"), _account_row),
    "holds": (("SITE", "TARGET", "REASON", "ENDS", "MESSAGE"), _hold_row),
    "events": (("AGE", "SITE", "REASON", "MESSAGE"), _event_row),
}
