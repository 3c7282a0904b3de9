"""One CPU for threads of which the interpreter lets one run at a time.

Each call to the kernel gives the interpreter's lock away and takes it back. Where those who wait for it sleep on other
CPUs, that wakes one of them each time, mostly for nothing; on the same CPU it costs a third of that. Children of such a
thread would inherit its one CPU: `processes` gives them all.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/thread-self/stat")
_PROCESSOR: Final = 36  # of its words after the command's name, proc_pid_stat(5)


def here() -> int | None:
    """Give the CPU that this thread runs on now; None where sharing it gains nothing, or it cannot be told."""
    try:
        if not getattr(sys, "_is_gil_enabled", lambda: True)() or len(os.sched_getaffinity(0)) == 1:
            return None
        return int(_STAT.read_bytes().rpartition(b")")[2].split()[_PROCESSOR])
    except (OSError, ValueError, IndexError):
        return None


def share(cpu: int | None) -> None:
    """Keep the calling thread, and those that it starts, on a CPU. None, or where that is refused: do nothing."""
    if cpu is not None:
        with suppress(OSError):
            os.sched_setaffinity(0, {cpu})
