"""Names of sites for the shell: what an argument can be completed to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click


def site_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Give the names of the sites that were seen last, for the shell."""
    from datetime import UTC, datetime

    from click.shell_completion import CompletionItem

    from reconciler.cli import views
    from reconciler.cli.settings import DEFAULT_STATE

    outer = ctx.find_root().params  # what stands before the verb: no callback has run
    given = ctx.params.get("state") or outer.get("state") or os.environ.get("CERTWRIGHT_STATE")
    items = views.sites(str(given or DEFAULT_STATE), datetime.now(UTC))
    names = (str(item.get("metadata", {}).get("name", "")) for item in items)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
