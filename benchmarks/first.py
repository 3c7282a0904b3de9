"""`first`: the first `apply` of 1,000 sites by the embedded CA into a `files` target, beside bare writes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from benchmarks.ground import Ground, room
from benchmarks.table import Row, turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SITES: Final = 1000
ROUNDS: Final = 3
_KEPT: Final = ("certificates", "desired", "status", "inventory")


def _apply(ground: Ground) -> float:
    ground.root.mkdir()
    ground.declare(SITES)
    began = time.perf_counter()
    ground.converge()
    return SITES / (time.perf_counter() - began)


def _bare(ground: Ground, copy: Path) -> float:
    """Write and sync as many files of the same content into as many directories."""
    tops = [ground.out, *(ground.state / name for name in _KEPT)]
    found = [path for top in tops for path in top.rglob("*") if path.is_file()]
    contents = [(copy / path.relative_to(ground.root), path.read_bytes()) for path in found]
    for folder in {path.parent for path, _ in contents}:
        folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    for path, content in contents:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, content)
        os.fsync(descriptor)
        os.close(descriptor)
    return SITES / (time.perf_counter() - began)


def rows() -> Iterator[Row]:
    """Measure in turns, each time in new directories."""
    with room() as folder:
        names = [folder / str(number) for number in range(2 * ROUNDS)]
        ours, bare = iter(names[::2]), iter(names[1::2])
        done: list[Ground] = []

        def apply() -> float:
            done.append(Ground(next(ours)))
            return _apply(done[-1])

        rate, floor = turns(ROUNDS, apply, lambda: _bare(done[-1], next(bare)))
        what = f"first apply of {SITES:,} sites, embedded CA, files"
        yield Row(what, str(ROUNDS), f"{rate:.0f} sites/s", f"bare writes and syncs {floor:.0f} sites/s", rate / floor)
