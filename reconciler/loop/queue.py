"""What is to be looked at: names without repeats. A name that is being worked on waits until that is over."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

T = TypeVar("T")


class Queue:
    """Names in three places: ready; in flight; in flight while something new was heard of them. One thread's own."""

    def __init__(self) -> None:
        """Start empty."""
        self._ready: set[str] = set()
        self._busy: set[str] = set()
        self._dirty: set[str] = set()

    @property
    def busy(self) -> frozenset[str]:
        """The names in flight."""
        return frozenset(self._busy)

    @property
    def ready(self) -> bool:
        """Whether `take` would give any."""
        return bool(self._ready)

    def add(self, names: Iterable[str]) -> None:
        """Ask for a look; for a name in flight, after it returned."""
        for name in names:
            (self._dirty if name in self._busy else self._ready).add(name)

    def take(self) -> frozenset[str]:
        """Give all that is ready, and be empty."""
        taken = frozenset(self._ready)
        self._ready.clear()
        return taken

    def begin(self, names: Collection[str]) -> None:
        """Note that work on these names began; who asks for a look from now on waits."""
        self._busy.update(names)
        self._ready.difference_update(names)

    def end(self, name: str) -> None:
        """Note that work on a name is over; what was heard meanwhile is ready now."""
        self._busy.discard(name)
        if name in self._dirty:
            self._dirty.discard(name)
            self._ready.add(name)


class Mailbox(Generic[T]):
    """Where other threads leave word for the loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._turn = threading.Condition()
        self._mail: deque[T] = deque()

    def post(self, word: T) -> None:
        """Leave a word; never blocks for longer than it takes to append it."""
        with self._turn:
            self._mail.append(word)
            self._turn.notify()

    def collect(self) -> list[T]:
        """Give what came, in its order."""
        with self._turn:
            came = list(self._mail)
            self._mail.clear()
        return came

    def wait(self, seconds: float) -> None:
        """Sleep until there is mail, at most so long."""
        with self._turn:
            if not self._mail:
                self._turn.wait(max(seconds, 0.0))
