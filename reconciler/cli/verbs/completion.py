"""`completion`: the script that makes a shell complete verbs, flags and the names of sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import get_completion_class

from reconciler.cli.group import program, verb
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings

_SHELLS: Final = ("bash", "zsh", "fish")


@verb()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str, settings: Settings) -> int:
    """Print the completion script of a SHELL.

    For bash, now:  source <(certwright completion bash)
    """
    kind = get_completion_class(shell)
    if kind is not None:
        made = kind(program, {}, "certwright", "_CERTWRIGHT_COMPLETE")
        Screen(settings).out(made.source_template % made.source_vars())
    return 0
