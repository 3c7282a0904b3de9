"""The one place where a failure becomes a message and an exit code.

0 it holds or was done; 1 it failed; 2 a person's words (arguments, manifests) must change; 3 the state directory, a
lock or the machine; 130 and 143 interrupted. What is in no tree of failures is a bug, told as one.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.screen import BOLD, RED, OutputLost
from reconciler.errors import CertwrightError, HeldBy, ManifestError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.screen import Screen
    from reconciler.errors import Problem

FAILED: Final = 1
USAGE: Final = 2
MACHINE: Final = 3
INTERRUPTED: Final = 130
_CODES: Final[tuple[tuple[tuple[type[BaseException], ...], int], ...]] = (
    ((click.ClickException, ManifestError, UsageError), USAGE),
    ((StoreError, MemoryError, OSError), MACHINE),
    ((KeyboardInterrupt, click.Abort), INTERRUPTED),
    ((BaseException,), FAILED),
)
_SHOWN: Final = 100


def tell(error: BaseException, screen: Screen) -> int:
    """Tell of a failure on standard error and give the exit code."""
    match error:
        case click.ClickException():
            _usage(error, screen)
        case ManifestError():
            tell_problems(error.problems, screen)
            screen.tell(f"{counted(error.problems)}; nothing was touched", RED)
        case CertwrightError():
            screen.tell(f"certwright: {error}", RED)
            if isinstance(error, HeldBy):
                hint = "one `run` a state directory is enough" if error.what == "run" else "--lock-timeout waits longer"
                screen.tell(hint)
        case KeyboardInterrupt() | click.Abort():
            screen.tell("interrupted")
        case OutputLost():
            screen.tell(f"certwright: {error.filename} cannot be written: {error.strerror}", RED)
        case MemoryError() | OSError():
            screen.tell(f"certwright: the machine failed us: {str(error) or type(error).__name__}", RED)
        case _:
            _bug(error, screen)
    return next(code for kinds, code in _CODES if isinstance(error, kinds))


def _usage(error: click.ClickException, screen: Screen) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        screen.tell(error.format_message())
        return
    context = getattr(error, "ctx", None)
    name = context.command_path if context is not None else "certwright"
    screen.tell(f"{name}: {error.format_message()}", RED)
    screen.tell(f"`{name} --help` says more")


def tell_problems(problems: Sequence[Problem], screen: Screen) -> None:
    """Tell problems of manifests the way compilers do: place and message, the line, a caret."""
    for problem in problems[:_SHOWN]:
        screen.tell(str(problem), BOLD)
        if problem.excerpt:
            screen.tell(f"    {problem.excerpt}")
            if 0 < problem.column <= len(problem.excerpt) + 1:
                screen.tell(" " * (problem.column + 3) + "^", RED)
    if len(problems) > _SHOWN:
        screen.tell(f"... and {len(problems) - _SHOWN:,} more")


def counted(problems: Sequence[Problem]) -> str:
    """Say how many problems in how many files."""
    files = len([*itertools.groupby(sorted(problem.file for problem in problems))])
    return f"{len(problems):,} error{_s(len(problems))} in {files:,} file{_s(files)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _bug(error: BaseException, screen: Screen) -> None:
    from reconciler.cli.bugs import keep_report

    screen.tell(f"certwright: this is a bug of certwright: {type(error).__name__}: {error}", RED)
    if screen.verbosity >= 2:  # noqa: PLR2004  -vv
        import traceback

        screen.tell("".join(traceback.format_exception(error)).rstrip())
    kept = keep_report(error)
    screen.tell(f"a report for its makers was kept at {kept}" if kept else "with -vv the place in the program is shown")
