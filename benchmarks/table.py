"""Rows of the one table that is printed, and the turns by which ours and a yardstick are measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEAD: Final = ("what", "n", "ours", "yardstick", "ratio", "goal", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `met` is None where there is no goal; `n` says how often each side ran."""

    what: str
    n: str
    ours: str
    yardstick: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Give its text, column by column."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return self.what, self.n, self.ours, self.yardstick, ratio, self.goal, met


def printed(rows: Sequence[Row]) -> str:
    """Lay rows out under one head."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (lines[0], rule, *lines[1:])
    )


def turns(times: int, *sides: Callable[[], float]) -> list[float]:
    """Measure each side in turn, `times` times over; give each side's median."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(times):
        for side, values in zip(sides, found, strict=True):
            values.append(side())
    return [median(values) for values in found]


def seconds(value: float) -> str:
    """Say a time so that two digits count."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
