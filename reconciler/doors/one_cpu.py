"""One CPU for threads of which the interpreter lets one run at a time.

Each call to the kernel gives the interpreter's lock away and takes it back. Where those who wait for it sleep on other
CPUs, that wakes one of them each time, mostly for nothing; on the same CPU it costs a third of that. Children of such a
thread would inherit its one CPU: `processes` gives them all.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_STAT: Final = Path("/proc/thread-self/stat")
_STATUS: Final = Path("/proc/thread-self/status")
# as of a unit with SystemCallFilter=~@resources: it kills who asks for another CPU, and cannot be asked before
_FILTERED: Final = b"\nSeccomp:\t2\n"
_PROCESSOR: Final = 36  # of its words after the command's name, proc_pid_stat(5)
_SECONDS: Final = 2.0


class OneCpu:
    """The CPU that the threads of one crew share: where the first of them runs when it is made.

    Every two seconds one of them may go where the kernel puts it, for as long as one piece of work takes, and the
    others follow: a program that keeps the CPU busy, and cannot leave it, is left alone with it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Choose it; where sharing gains nothing or may not be, or nobody tells the CPU, all stay where they are."""
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._all = _allowed()
        self._cpu = _here() if len(self._all) > 1 and _may_share() else None
        self._until = monotonic() + _SECONDS
        self._scout: int | None = None
        self._on: dict[int, int] = {}

    @property
    def shared(self) -> bool:
        """Tell whether there is one."""
        return self._cpu is not None

    def join(self) -> None:
        """Keep the calling thread, and those that it starts, on that CPU. To be called before each piece of work."""
        if self._cpu is None:
            return
        me = threading.get_ident()
        with self._lock:
            cpu = self._chosen(me)
        if cpu is None:
            _move(self._all)
            self._on.pop(me, None)
        elif self._on.get(me) != cpu:
            _move({cpu})
            self._on[me] = cpu

    def _chosen(self, me: int) -> int | None:
        """Give the CPU to go to, None to go ahead."""
        if self._scout == me:
            found = _here()
            self._scout, self._cpu = None, self._cpu if found is None else found
        elif self._scout is None and self._monotonic() >= self._until:
            self._scout, self._until = me, self._monotonic() + _SECONDS
            return None
        return self._cpu


def _may_share() -> bool:
    """Tell whether the interpreter has a lock, and nobody filters our system calls."""
    try:
        return getattr(sys, "_is_gil_enabled", lambda: True)() and _FILTERED not in _STATUS.read_bytes()
    except OSError:
        return False


def _allowed() -> Collection[int]:
    try:
        return os.sched_getaffinity(0)
    except OSError:
        return ()


def _here() -> int | None:
    """Give the CPU that this thread runs on now."""
    try:
        return int(_STAT.read_bytes().rpartition(b")")[2].split()[_PROCESSOR])
    except (OSError, ValueError, IndexError):
        return None


def _move(cpus: Collection[int]) -> None:
    with suppress(OSError):
        os.sched_setaffinity(0, cpus)
