"""`quiet`: `apply` with nothing to do, as a whole process, at 1,000 and 10,000 sites; one edited site; no index."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import peers
from benchmarks.ground import Ground, room
from benchmarks.processes import ROOT, wall
from benchmarks.table import Row, seconds, turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES: Final = (1000, 10_000)
ROUNDS: Final = 7
_GOAL: Final = 0.57  # a third of what is recorded of `lego list`, and so for such a machine
_TICK: Final = 0.05


def settled(folder: Path, count: int) -> Ground:
    """Make a machine where nothing is to do."""
    ground = Ground(folder)
    ground.root.mkdir()
    ground.declare(count)
    ground.converge()
    for _ in range(3):
        time.sleep(_TICK)
        wall(*ground.argv("apply", "-q"))
    return ground


def _scan(ground: Ground) -> float:
    tops = [str(ground.manifests), str(ground.out), *(str(ground.state / name) for name in ("certificates", "live"))]
    return wall(sys.executable, "-I", str(ROOT / "benchmarks" / "scan.py"), *tops)


def _edited(ground: Ground, number: int) -> float:
    """Give the time of a `diff` and not that of an issue: what an edit costs to be seen."""
    ground.write_site(number, f"more{time.monotonic_ns()}.example.com")
    return wall(*ground.argv("diff", "-q"), good=(1,))


def _as_before(ground: Ground, number: int) -> float:
    ground.write_site(number)
    wall(*ground.argv("apply", "-q"))
    return wall(*ground.argv("diff", "-q"))


def _without_index(ground: Ground) -> float:
    for path in ground.state.glob("index.sqlite*"):
        path.unlink()
    return wall(*ground.argv("apply", "-q"))


def _size(ground: Ground, count: int, folder: Path) -> Iterator[Row]:
    apply, bare = turns(ROUNDS, lambda: wall(*ground.argv("apply", "-q")), lambda: _scan(ground))
    yield Row(
        f"apply, nothing to do, {count:,} sites",
        str(ROUNDS),
        seconds(apply),
        f"bare scandir+stat {seconds(bare)}",
        apply / bare,
        f"< {seconds(_GOAL)}" if count == SIZES[-1] else "",
        apply < _GOAL if count == SIZES[-1] else None,
    )
    for program in (peers.lego, peers.certbot):
        peer = program(ground.state / "live", count, folder)
        what = f"apply, nothing to do, {count:,} sites"
        yield Row(what, str(ROUNDS), seconds(apply), str(peer), peer.ratio(apply))
    diff, edited = turns(3, lambda: _as_before(ground, count // 2), lambda: _edited(ground, count // 2))
    what = f"diff, one site of {count:,} edited"
    yield Row(what, "3", seconds(edited), f"diff, nothing edited {seconds(diff)}", edited / diff)
    _as_before(ground, count // 2)
    again = [_without_index(ground) for _ in range(1 if count > SIZES[0] else 3)]
    peer = peers.certbot(ground.state / "live", count, folder / "again")
    what = f"apply, nothing to do, {count:,} sites, index deleted"
    yield Row(what, str(len(again)), seconds(median(again)), str(peer), peer.ratio(median(again)))


def rows() -> Iterator[Row]:
    """Measure both sizes."""
    for count in SIZES:
        with room() as folder:
            yield from _size(settled(folder / "ground", count), count, folder)
