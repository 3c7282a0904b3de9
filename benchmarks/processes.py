"""Programs, timed from fork to exit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
BARE: Final = (sys.executable, "-I", "-c", "pass")
OURS: Final = str(Path(sys.executable).parent / "certwright")


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall and CPU seconds of one process and of those it waited for."""

    wall: float
    cpu: float


def timed(argv: Sequence[str], *, environment: Mapping[str, str] | None = None, good: Sequence[int] = (0,)) -> Spent:
    """Run a program to its end; RuntimeError with what it said if its exit code is not a good one."""
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(
        argv,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=None if environment is None else {**os.environ, **environment},
    )
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode not in good:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout[-2000:].decode()}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Spent(wall, cpu)


def wall(*argv: str, good: Sequence[int] = (0,)) -> float:
    """Run a program and give its wall time."""
    return timed(argv, good=good).wall
