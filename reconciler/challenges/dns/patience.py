"""Whom we waited for in vain is not waited for again at once: one that hangs costs two waits, not one for each name."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from reconciler.model.ports import Clock

T = TypeVar("T")
_TRIES: Final = 2
_PAUSE: Final = 60.0
_SLOW: Final = 5.0


class Silent(Failed):
    """Who was asked did not answer, or end, in time."""


@dataclass(slots=True)
class _Vain:
    """So many waits in a row were in vain; `last` came at `at`, in seconds of the monotonic clock."""

    count: int
    at: float
    last: Failed


@dataclass(frozen=True, slots=True)
class Patience:
    """Remembers who let us wait, for all sites of the process. Safe for threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _vain: dict[Hashable, _Vain] = field(default_factory=dict)

    def ask(self, clock: Clock, whom: Hashable, work: Callable[[], T]) -> T:
        """Do the work, unless twice in a row nobody answered in time; asked again after a minute. Raises Failed."""
        self._check(clock, whom)
        begun = clock.monotonic()
        try:
            done = work()
        except Failed as failure:
            if _is_silence(failure, clock.monotonic() - begun):
                self._note(clock, whom, failure)
            raise
        with self._lock:
            self._vain.pop(whom, None)
        return done

    def _check(self, clock: Clock, whom: Hashable) -> None:
        with self._lock:
            vain = self._vain.get(whom)
            if vain is not None and clock.monotonic() - vain.at >= _PAUSE:
                del self._vain[whom]
                vain = None
        if vain is not None and vain.count >= _TRIES:
            last = vain.last
            words = f"not asked again yet, since it let us wait in vain {vain.count} times: {last}"
            raise type(last)(last.reason, words, blame=last.blame, until=last.until)

    def _note(self, clock: Clock, whom: Hashable, failure: Failed) -> None:
        with self._lock:
            before = self._vain.get(whom)
            count = before.count + 1 if before is not None else 1
            self._vain[whom] = _Vain(count, clock.monotonic(), failure)


def _is_silence(failure: Failed, seconds: float) -> bool:
    """Tell it from a refusal, which is about one name and says nothing of the next."""
    return (
        isinstance(failure, Silent)
        or failure.reason == "DnsTimeout"
        or (failure.reason == "HttpFailed" and seconds >= _SLOW)
    )
