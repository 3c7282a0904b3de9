"""What the shell completes an argument to: what was seen last tells the names, so no manifest is read for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

_SITE: Final = "site/"
_BY_SITE: Final = frozenset({"sites", "certificates", "holds", "events"})
_OF_SITES: Final = {"issuers": "issuers", "targets": "targets", "servers": "server", "challengemethods": "challenges"}
"""Kinds whose objects are named in the spec of the sites that use them: the field by the kind."""
_LISTED_ONLY: Final = frozenset({"accounts", "holds", "events"})


def site_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Give the names of the sites that were seen last; written `site/NAME` where that was begun."""
    begun = bool(incomplete) and (_SITE.startswith(incomplete) or incomplete.startswith(_SITE))
    names = _sites(ctx)
    return _fitting([*names, *(f"{_SITE}{name}" for name in names if begun)], incomplete)


def kinds(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Give the kinds that the verb takes, or the names of one after `KIND/`."""
    from reconciler.cli.names import KINDS

    word, slash, _ = incomplete.partition("/")
    if slash:
        return _fitting((f"{word}/{name}" for name in _named(ctx, word)), incomplete)
    left_out = _LISTED_ONLY if ctx.info_name == "describe" else ()
    return _fitting((kind for kind in KINDS if kind not in left_out), incomplete)


def names_of_kind(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Give the names of the KIND that stands before, as far as sites that were seen tell of them."""
    return _fitting(_named(ctx, str(ctx.params.get("kind"))), incomplete)


def formats(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Give what -o takes; before a verb, what it takes of any."""
    from reconciler.cli.settings import FORMATS

    return _fitting(getattr(ctx.command, "formats", FORMATS), incomplete)


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Let the shell complete a path."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def directories(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Let the shell complete a path of a directory."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def _fitting(words: Iterable[str], incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _named(ctx: click.Context, word: str) -> list[str]:
    from reconciler.cli.names import kind_of
    from reconciler.errors import UsageError
    from reconciler.report.cells import at

    try:
        kind = kind_of(word)
    except UsageError:
        return []
    if kind in _BY_SITE:
        return _sites(ctx)
    field = _OF_SITES.get(kind)
    return sorted({name for item in _items(ctx) for name in _texts(at(item, "spec", field))}) if field else []


def _texts(value: object) -> list[str]:
    """Give the texts in a value of a spec: itself, those of a list, those of the lists of a mapping."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return [value] if isinstance(value, str) else []
    return [text for one in inner for text in _texts(one)]


def _sites(ctx: click.Context) -> list[str]:
    from reconciler.report.cells import at

    return [str(name) for item in _items(ctx) if (name := at(item, "metadata", "name"))]


def _items(ctx: click.Context) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    from reconciler.cli import views
    from reconciler.cli.settings import DEFAULT_STATE

    outer = ctx.find_root().params  # what stands before the verb: no callback has run
    given = ctx.params.get("state") or outer.get("state") or os.environ.get("CERTWRIGHT_STATE")
    return views.sites(str(given or DEFAULT_STATE), datetime.now(UTC))
