"""`version`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen
from reconciler.cli.writing import write

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@verb(formats=("text", "json", "yaml"))
def version(settings: Settings) -> int:
    """Tell the versions of the program, of the manifest language and of Python."""
    screen = Screen(settings)
    python = ".".join(str(part) for part in sys.version_info[:3])
    if settings.output in ("json", "yaml"):
        head = {"apiVersion": "certwright/v1", "kind": "Version"}
        write(screen, {**head, "version": __version__, "python": python}, settings.output)
    else:
        screen.out(f"certwright {__version__} (manifests certwright/v1, Python {python})")
    return 0
