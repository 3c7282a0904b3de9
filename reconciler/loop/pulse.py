"""The loop's own rhythm: when to read the feed, to walk, to audit; debounced hints; and whether the clock jumped.

All in monotonic seconds. A walk that took long is repeated seldom: its pause is twenty times its length.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.ports import Clock

_EVERY: Final = {"feed": 1.0, "scan": 5.0, "audit": 5.0, "pass": 0.1}
_TIMES: Final = {"scan": 20.0, "audit": 20.0, "pass": 1.0}  # pauses, in lengths of what was done
_QUIET: Final = 0.25
_LATEST: Final = 0.5
_JUMP: Final = 60.0
_ILL_FIRST: Final = 1.0
_ILL_MOST: Final = 60.0


@dataclass(slots=True)
class Walk:
    """A walk under way; `once` are the seconds of it that the next one will not take."""

    once: float = 0.0


class Pulse:
    """Beats by name: `take` tells whether one is due and counts it as done."""

    def __init__(self, clock: Clock) -> None:
        """Begin now; nothing that was not hinted at is due at once."""
        self._clock = clock
        now = clock.monotonic()
        self._at: dict[str, float] = {name: now + every for name, every in _EVERY.items()}
        self._at["pass"] = now
        self._first_hint: dict[str, float] = {}
        self._soonest: dict[str, float] = {}
        self._wall = clock.now().timestamp() - now
        self._ill = 0.0

    def take(self, name: str) -> bool:
        """Tell whether a beat is due; if so, the next one is a period away."""
        if not self.due(name):
            return False
        self._first_hint.pop(name, None)
        if name in _EVERY:
            self._at[name] = self._clock.monotonic() + _EVERY[name]
        else:
            self._at.pop(name)
        return True

    def due(self, name: str) -> bool:
        """Tell whether a beat is due."""
        return name in self._at and self._at[name] <= self._clock.monotonic()

    def hint(self, name: str) -> None:
        """Ask for a beat when hints have been quiet for a quarter of a second, after half a second at the latest.

        A walk that takes long is not made more often for it.
        """
        now = self._clock.monotonic()
        first = self._first_hint.setdefault(name, now)
        at = max(min(now + _QUIET, first + _LATEST), self._soonest.get(name, 0.0))
        self._at[name] = min(self._at[name], at) if name in _EVERY else at

    def soon(self, name: str) -> None:
        """Ask for a beat at once."""
        self._at[name] = self._clock.monotonic()

    @contextmanager
    def walking(self, name: str) -> Iterator[Walk]:
        """Measure a walk and choose when the next one may be."""
        began, walk = self._clock.monotonic(), Walk()
        try:
            yield walk
        finally:
            now = self._clock.monotonic()
            length = now - began
            pause = (length - walk.once) * _TIMES[name]
            self._at[name] = now + max(_EVERY[name], pause)
            if name == "scan":
                self._soonest = {"scan": now + pause, "tree": now + length}
            else:
                self._at["audit"] = max(self._at["audit"], now + length * _TIMES["audit"])

    def jumped(self) -> float | None:
        """Give the seconds by which the wall clock left the monotonic one since the last question, if over a minute."""
        wall = self._clock.now().timestamp() - self._clock.monotonic()
        jump = wall - self._wall
        self._wall = wall
        return jump if abs(jump) > _JUMP else None

    def ill(self) -> bool:
        """Slow passes and feed down, to a minute; tell whether this is the first failure of a row."""
        first = self._ill == 0.0
        self._ill = _ILL_FIRST if first else min(self._ill * 2, _ILL_MOST)
        for name in ("pass", "feed"):
            self._at[name] = self._clock.monotonic() + self._ill
        return first

    def well(self) -> None:
        """Note that a pass went well."""
        self._ill = 0.0

    def next(self, *, passing: bool) -> float:
        """Give the seconds to the next beat; that of a pass counts only if there is something to look at."""
        now = self._clock.monotonic()
        return min(at - now for name, at in self._at.items() if (name != "pass" or passing) and name != "audit")
