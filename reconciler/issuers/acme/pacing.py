"""How long to wait between two questions, and when to give the thread back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.errors import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.issuers.acme.session import Session

FIRST: Final = 0.002
GROWTH: Final = 1.5
_LONGEST: Final = 2.0
# a thread serves many sites: a longer wait is a timer, and the order on disk is the memory
_IN_THREAD: Final = 10.0
_PATIENCE: Final = 30.0
_TELLING: Final = 3.0
_AGAIN: Final = (timedelta(seconds=10), timedelta(hours=1))
_SHARE: Final = 4


class Pacer:
    """The pauses of one wait inside one order. `since` is when it began: an old one is asked about more rarely."""

    def __init__(self, session: Session, since: datetime, what: str, say: Callable[[str], None]) -> None:
        """`what` completes the sentence: waiting for ...; `say` hears it once it has taken some seconds."""
        self._session, self._since, self._what, self._say = session, since, what, say
        self._said = False
        self._next = FIRST
        self._start = session.clock.monotonic()

    def pause(self, until: datetime | None) -> None:
        """Sleep until the CA's wish, else from 2 ms half as long again each time, to 2 s.

        Raises Waiting(InFlight): the wish is over ten seconds ahead, half a minute went by, or the process stops.
        """
        clock = self._session.clock
        now = clock.now()
        wish = 0.0 if until is None else (until - now).total_seconds()
        waited = clock.monotonic() - self._start
        if wish > _IN_THREAD or waited + wish > _TELLING:
            self._tell()
        if wish > _IN_THREAD and until is not None:
            raise Waiting("InFlight", f"the CA asks to wait for {self._what}", until)
        if waited > _PATIENCE:
            later = min(max((now - self._since) / _SHARE, _AGAIN[0]), _AGAIN[1])
            raise Waiting("InFlight", f"waiting for {self._what}", now + later)
        if clock.wait(max(wish, self._next)):
            raise self._session.stopped()
        self._next = min(self._next * GROWTH, _LONGEST)

    def _tell(self) -> None:
        if not self._said:
            self._said = True
            self._say(f"waiting for {self._what}")
