"""What was tried lately, so that nothing is done over and over: a brake beside the backoff that the store remembers.

A failure waits 1, 2, 4 ... seconds, at most five minutes. What succeeded three times within an hour and is wanted again
(a file that somebody else keeps changing back: a drift fight) is done hourly from then on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason, Verb
from reconciler.model.outcomes import Status

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.changes import Change
    from reconciler.model.outcomes import Outcome

_FIRST: Final = timedelta(seconds=1)
_MOST: Final = timedelta(minutes=5)
_DOUBLINGS: Final = 10
_WINDOW: Final = timedelta(hours=1)
_OFTEN: Final = 3
_MANY: Final = 1000
_NO_ATTEMPT: Final = frozenset({"Stopped", Reason.NO_LONGER_PLANNED, Reason.DEPENDENCY_FAILED})


@dataclass(slots=True)
class _Tries:
    last: datetime
    done: deque[datetime] = field(default_factory=lambda: deque(maxlen=_OFTEN))
    hourly: bool = False
    failed: int = 0
    until: datetime | None = None


class Repeats:
    """Remembers outcomes of the last hour by what was done."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._tries: dict[tuple[str, ...], _Tries] = {}

    def note(self, outcome: Outcome, now: datetime) -> None:
        """Take an outcome; what was not really tried does not count."""
        if outcome.status in (Status.SKIPPED, Status.FAILED) and outcome.reason in _NO_ATTEMPT:
            return
        tries = self._tries.setdefault(_key(outcome.change), _Tries(now))
        tries.last = now
        if outcome.status is Status.DONE:
            tries.failed, tries.until = 0, None
            tries.done.append(now)
            tries.hourly = _is_often(tries)
        elif outcome.status is Status.WAITING:
            tries.until = outcome.again
        else:
            tries.failed += 1
            tries.until = now + min(_MOST, _FIRST * 2 ** min(tries.failed - 1, _DOUBLINGS))
        if len(self._tries) > _MANY:
            self._prune(now)

    def until(self, change: Change, now: datetime) -> datetime | None:
        """Give when a change may be tried again, None if now."""
        tries = self._tries.get(_key(change))
        if tries is None:
            return None
        at = tries.done[-1] + _WINDOW if tries.hourly else tries.until
        return at if at is not None and at > now else None

    def is_fight(self, change: Change) -> bool:
        """Tell whether somebody else keeps changing back what this change repairs."""
        tries = self._tries.get(_key(change))
        return change.reason is Reason.DRIFTED and tries is not None and tries.hourly

    def clear(self) -> None:
        """Forget all: the clock jumped."""
        self._tries.clear()

    def _prune(self, now: datetime) -> None:
        self._tries = {
            key: tries
            for key, tries in self._tries.items()
            if now - tries.last < 2 * _WINDOW or (tries.until is not None and tries.until > now)
        }


def _is_often(tries: _Tries) -> bool:
    """Tell whether it was done three times within an hour, or goes on hourly after that."""
    if tries.hourly:
        return tries.done[-1] - tries.done[-2] < 2 * _WINDOW
    return len(tries.done) == _OFTEN and tries.done[-1] - tries.done[0] < _WINDOW


def _key(change: Change) -> tuple[str, ...]:
    """Tell repairs of the same files as one thing, whatever stands in them this time."""
    if change.verb is Verb.INSTALL and change.reason is Reason.DRIFTED:
        return (change.subject, change.target or "", *sorted(file.path for file in change.files))
    return (change.id,)
