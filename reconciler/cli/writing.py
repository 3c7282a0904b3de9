"""One value, written the way -o asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.cli.screen import Screen


def write(screen: Screen, value: object, output: str) -> None:
    """Write JSON values as `json` or `yaml`. Control characters are escaped by both."""
    if output == "yaml":
        from reconciler.cli.yaml_text import yaml_text

        screen.out(yaml_text(value).rstrip("\n"))
    else:
        screen.out(json.dumps(value, indent=2))
