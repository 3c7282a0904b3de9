"""`starts`: how long a person waits for `version`, `--help` and `get sites`, beside a bare interpreter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.ground import Ground, room
from benchmarks.processes import BARE, OURS, wall
from benchmarks.table import Row, seconds, turns

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS: Final = 21
SITES: Final = 20
_GOAL: Final = 5


def rows() -> Iterator[Row]:
    """Measure each verb in turn with `python -I -c pass`."""
    with room() as folder:
        ground = Ground(folder / "ground")
        ground.root.mkdir()
        ground.declare(SITES)
        ground.converge()
        verbs = {
            "version": (OURS, "version"),
            "--help": (OURS, "--help"),
            f"get sites ({SITES})": ground.argv("get", "sites"),
        }
        for name, argv in verbs.items():
            bare, ours = turns(ROUNDS, partial(wall, *BARE), partial(wall, *argv))
            ratio = ours / bare
            yield Row(
                f"start: {name}",
                str(ROUNDS),
                seconds(ours),
                f"python -I -c pass {seconds(bare)}",
                ratio,
                f"<= {_GOAL} times",
                ratio <= _GOAL,
            )
