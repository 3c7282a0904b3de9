"""When each name must be looked at again: one time a name, the earliest first. A heap, so that nobody polls."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_SPARE: Final = 1000


class Timers:
    """A heap of (time, name); what was overtaken by a later word stays in it until it comes up."""

    def __init__(self) -> None:
        """Start empty."""
        self._at: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def __len__(self) -> int:
        """Count the names."""
        return len(self._at)

    def set(self, name: str, at: datetime | None) -> None:
        """Choose the time of a name; None forgets it."""
        if at is None:
            self._at.pop(name, None)
        elif self._at.get(name) != at:
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))
            if len(self._heap) > 2 * len(self._at) + _SPARE:
                self.replace(dict(self._at))

    def sooner(self, name: str, at: datetime) -> None:
        """Choose a time unless an earlier one is known."""
        known = self._at.get(name)
        if known is None or at < known:
            self.set(name, at)

    def replace(self, times: Mapping[str, datetime]) -> None:
        """Forget all times and take these."""
        self._at = dict(times)
        self._heap = [(at, name) for name, at in self._at.items()]
        heapq.heapify(self._heap)

    def due(self, now: datetime) -> frozenset[str]:
        """Take out and give the names whose time has come."""
        found = set()
        while (head := self._head()) is not None and head[0] <= now:
            heapq.heappop(self._heap)
            del self._at[head[1]]
            found.add(head[1])
        return frozenset(found)

    def next(self) -> tuple[datetime, str] | None:
        """Give the earliest time and whose it is, None if there is none."""
        return self._head()

    def _head(self) -> tuple[datetime, str] | None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None
