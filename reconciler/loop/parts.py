"""What the loop works with, and the words that other threads send it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from reconciler.loop.watch import Hint
from reconciler.model.ports import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from reconciler.engine import Engine
    from reconciler.loop.flights import Flight
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Clock, Execute


class Feed(Protocol):
    """What any process wrote to the store."""

    def changes(self, after: int) -> tuple[frozenset[str], int]:
        """Give the sites written since a cursor, at least once each, and the new cursor; begin with 0."""
        ...


@dataclass(frozen=True, slots=True)
class Came:
    """An executor's word: how one change of a plan ended; None when the plan is over."""

    flight: Flight
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Broke:
    """An executor's last word: a bug that no site explains."""

    error: Exception


Word = Hint | Came | Broke


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with.

    `spawn` runs work in a thread of its own (a test: at once). `full`: the tree is the one that the state follows, so
    what it no longer declares is removed. `watch` is told the directories of installed files whenever they may differ;
    `tidy` clears out what is long out of use.
    """

    engine: Engine
    execute: Execute
    feed: Feed
    clock: Clock
    spawn: Callable[[Callable[[], None]], None]
    full: bool = True
    limits: Limits = field(default_factory=lambda: Limits(batching=True))
    watch: Callable[[Collection[str]], None] = lambda _places: None
    tidy: Callable[[datetime], None] = lambda _now: None
