"""SIGINT and SIGTERM: the first one lets the steps in hand end, the second one leaves at once."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.errors import HeldBy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from reconciler.cli.screen import Screen
    from reconciler.wiring import App

_CAUGHT: Final = (signal.SIGINT, signal.SIGTERM)
_BASE: Final = 128


@dataclass(slots=True)
class Caught:
    """The signal that came, if one came."""

    number: int | None = None

    def code(self, otherwise: int) -> int:
        """Give the exit code: 130 or 143 if a signal came."""
        return otherwise if self.number is None else _BASE + self.number


@contextmanager
def stopping(app: App, screen: Screen) -> Iterator[Caught]:
    """Set the clock's stop flag at a signal, for the length of a block.

    Raises SystemExit with the signal's code where the block waited for a lock as it came: nobody else is to blame.
    """
    caught = Caught()

    def stop(number: int, _frame: FrameType | None) -> None:
        if caught.number is not None:
            raise SystemExit(_BASE + number)
        caught.number = number
        app.clock.stop()
        screen.tell("stopping: what was begun is finished first; once more to leave at once")

    former = {number: signal.signal(number, stop) for number in _CAUGHT}
    try:
        yield caught
    except HeldBy:
        if caught.number is None:
            raise
        raise SystemExit(_BASE + caught.number) from None
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
