"""Time and the stop flag: the only clock that a running process reads."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class SystemClock:
    """A `model.ports.Clock` over the machine's clocks."""

    def __init__(self) -> None:
        """Start with the stop flag down."""
        self._stop = threading.Event()

    @staticmethod
    def now() -> datetime:
        """Give the wall time, aware, in UTC."""
        return datetime.now(UTC)

    @staticmethod
    def monotonic() -> float:
        """Give seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Sleep; True, at once, if the stop flag is or gets set."""
        return self._stop.wait(max(seconds, 0.0))

    def stopping(self) -> bool:
        """Tell whether the stop flag is set."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Set the stop flag."""
        self._stop.set()
