"""`memory`: what `run` holds once 10,000 sites are settled."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.ground import room
from benchmarks.quiet import SIZES, settled
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_GOAL: Final = 150
_STILL: Final = 8
_PATIENCE: Final = 120


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> tuple[float, float, float]:
    """Give PSS, RSS and the highest RSS, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text() + Path(f"/proc/{pid}/status").read_text()
    sizes = {line.split(":")[0]: line.split() for line in rollup.splitlines() if line.endswith("kB")}
    pss, rss, peak = (int(sizes[name][1]) / 1000 for name in ("Pss", "Rss", "VmHWM"))
    return pss, rss, peak


def rows() -> Iterator[Row]:
    """Start `run`, wait until it has nothing to do, look."""
    with room() as folder:
        ground = settled(folder / "ground", SIZES[-1])
        process = subprocess.Popen(ground.argv("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end, before = time.monotonic() + _PATIENCE, -1.0
            while time.monotonic() < end and process.poll() is None:
                time.sleep(_STILL)
                now = _cpu(process.pid)
                # a walk over all sites each ten seconds is what it does at rest
                if before >= 0 and now - before < _STILL / 4:
                    break
                before = now
            if process.poll() is not None:
                raise RuntimeError(f"run ended with {process.returncode}")
            pss, rss, peak = _memory(process.pid)
        finally:
            process.terminate()
            process.wait()
        held = f"PSS {pss:.0f} MB, RSS {rss:.0f} MB (highest {peak:.0f} MB)"
        yield Row(f"memory of run, {SIZES[-1]:,} sites", "1", held, goal=f"< {_GOAL} MB", met=max(pss, rss) < _GOAL)
