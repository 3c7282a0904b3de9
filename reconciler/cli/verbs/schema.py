"""`schema`: the manifest language, and the JSON that others may rely on, as JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.group import verb
from reconciler.cli.screen import Screen
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@verb()
@click.argument("kind", default="manifest")
def schema(kind: str, settings: Settings) -> int:
    """Print the JSON Schema of a KIND (default: any manifest), or of what -o json prints.

    Outputs: list (`get`), item (`get -w`, `describe`, `wait`), plan (`diff`, `apply` and other verbs that converge),
    status, why, validation, challengelist, preflightreport, verifyreport, version.
    """
    from reconciler.schema import all_schemas, schema_text

    made = all_schemas()
    name = f"{kind.lower().removesuffix('.json')}.json"
    if name not in made:
        known = ", ".join(sorted(one.removesuffix(".json") for one in made))
        raise UsageError(f"there is no schema {kind!r}; there are {known}")
    Screen(settings).out(schema_text(made[name]).rstrip("\n"))
    return 0
