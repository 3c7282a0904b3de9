"""How far it is: a bar on a terminal, plain lines elsewhere; on standard error either way."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from reconciler.cli.screen import GREEN, RED, YELLOW, safe

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.cli.screen import Screen
    from reconciler.model.outcomes import Outcome

_COLORS: Final = {"done": GREEN, "failed": RED, "skipped": YELLOW, "waiting": YELLOW}


class Progress:
    """Hears of plans and outcomes. Enter it around the work."""

    def __init__(self, screen: Screen) -> None:
        """Draw nothing yet: a plan without changes needs no bar."""
        self._screen = screen
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self.pause()

    def expect(self, changes: int) -> None:
        """Start a bar for so many changes."""
        self.pause()
        if not (self._screen.live and changes):
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        shown = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        console = Console(stderr=True, color_system=None if self._screen.plain else "auto")
        self._bar = Bar(*shown, console=console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task("", total=changes)
        with suppress(OSError):  # a terminal that is gone; the screen loses what it writes in its own way
            self._bar.start()

    def pause(self) -> None:
        """Take the bar off the screen, before something else is written there."""
        if self._bar is not None:
            with suppress(OSError):  # the same
                self._bar.stop()
            self._bar = None

    def tell(self, outcome: Outcome) -> None:
        """Count one change; without a bar, write a line about it."""
        if outcome.change.site is not None:
            self._screen.waits.over(outcome.change.site)
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=safe(outcome.change.subject))
        else:
            self._screen.note(outcome_line(outcome), _COLORS.get(outcome.status.value))


def outcome_line(outcome: Outcome) -> str:
    """Say in a line how a change ended."""
    change = outcome.change
    where = f" on {change.target}" if change.target and change.site else ""
    why = f": {outcome.reason}: {outcome.message}" if outcome.message and outcome.status.value != "done" else ""
    return f"{outcome.status.value:<8}{change.verb.value} {change.subject}{where}{why}"
