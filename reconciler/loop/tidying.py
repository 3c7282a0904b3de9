"""The archive is cleared out once a day, beside the loop."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.errors import CertwrightError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.loop.journal import Journal

_EVERY: Final = timedelta(hours=24)


class Tidying:
    """`tidy` does it, `spawn` lets it be done in a thread of its own."""

    def __init__(
        self, tidy: Callable[[datetime], None], spawn: Callable[[Callable[[], None]], None], journal: Journal
    ) -> None:
        """Have done nothing yet."""
        self._tidy, self._spawn, self._journal = tidy, spawn, journal
        self._done: datetime | None = None

    def once_a_day(self, now: datetime) -> None:
        """Begin, unless it was begun today."""
        if self._done is None or now - self._done >= _EVERY:
            self._done = now
            self._spawn(lambda: self._clear_out(now))

    def _clear_out(self, now: datetime) -> None:
        try:
            self._tidy(now)
        except CertwrightError as error:
            self._journal.say(f"the archive could not be cleared out: {error}", level=logging.WARNING)
