"""What is waited for, told to a person who would else look at nothing: without -v, once it has taken some seconds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST: Final = 5.0
_AGAIN: Final = 60.0
_FEW: Final = 3


class Waits:
    """Keeps what each site said last, until its work ends; a thread, which lives while there is any, tells of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` writes a line and may be called from any thread."""
        self._tell = tell
        self._turn = threading.Condition()
        self._said: dict[str, tuple[float, str]] = {}
        self._thread: threading.Thread | None = None

    def said(self, site: str, text: str) -> None:
        """Hear what a site is about now."""
        with self._turn:
            self._said[site] = time.monotonic() + FIRST, text
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="certwright-waits", daemon=True)
                self._thread.start()

    def over(self, site: str | None = None) -> None:
        """Hear that a site's work has ended; of all sites without one."""
        with self._turn:
            if site is None:
                self._said.clear()
            else:
                self._said.pop(site, None)
            self._turn.notify_all()

    def _watch(self) -> None:
        with self._turn:
            while self._said:
                now = time.monotonic()
                due = {site: text for site, (at, text) in self._said.items() if at <= now}
                self._said.update({site: (now + _AGAIN, text) for site, text in due.items()})
                self._tell_of(due)
                self._turn.wait(max(min(at for at, _ in self._said.values()) - time.monotonic(), 0.0))
            self._thread = None

    def _tell_of(self, due: dict[str, str]) -> None:
        for site, text in list(due.items())[:_FEW]:
            self._tell(f"{site}: {text} (still at it)")
        if len(due) > _FEW:
            self._tell(f"and {len(due) - _FEW:,} sites more are still at it; -v tells of each")
