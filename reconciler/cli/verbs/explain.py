"""`explain`: the documentation of a field, from the very shapes that validate it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.group import verb
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@verb()
@click.argument("field", required=False)
def explain(field: str | None, settings: Settings) -> int:
    """Explain a FIELD of a manifest: `site`, `site.hostnames`, `target.spec.verify.ports`.

    It begins with a kind: server, site, hostnameset, issuer, challengemethod, target. Of a kind, all fields are listed;
    without a FIELD, the kinds.
    """
    from reconciler.manifests.explain import explain as explained
    from reconciler.manifests.explain import kinds

    Screen(settings).out((kinds() if field is None else explained(field)).rstrip("\n"))
    return 0
