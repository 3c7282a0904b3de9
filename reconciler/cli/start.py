"""From arguments to an exit code: the frame around every verb."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.cli.failures import tell
from reconciler.cli.group import program
from reconciler.cli.screen import OutputLost, Screen

if TYPE_CHECKING:
    from collections.abc import Sequence


def start(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and give its exit code; whatever goes wrong is told here, in one place."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    screen = Screen()
    screen.verbosity = _verbosity(given)
    return _ended(_run(given, screen), screen)


def _ended(code: int, screen: Screen) -> int:
    """Give the exit code once all is written: results that are lost are a failure, words beside them of a success."""
    try:
        screen.finish()
    except OutputLost as lost:
        told = tell(lost, screen)
        return told if lost.is_results else code or told
    return code


def _run(given: list[str], screen: Screen) -> int:
    try:
        code = program.main(given, prog_name="certwright", standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001  the last border: a bug is told, not thrown at a person
        return tell(error, screen)
    return code if isinstance(code, int) else 0


def _verbosity(given: list[str]) -> int:
    """Find -v before click does: a failure while arguments are read is told too."""
    return sum(word.count("v") if word.strip("v") == "-" else word == "--verbose" for word in given)
