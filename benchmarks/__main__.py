"""Measure what is named, or everything, and print one table."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

from benchmarks.table import printed

NAMES = ("issuing", "dns", "quiet", "starts", "memory", "first", "reloads")


def main(names: list[str]) -> int:
    """Print the table; exit 2 for a name that is none, 0 whether or not goals are met."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    rows = []
    for name in names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in import_module(f"benchmarks.{name}").rows():
            # told at once too: a large case takes long, and what was measured is not lost if it is interrupted
            print("  ".join(cell for cell in row.cells() if cell), file=sys.stderr, flush=True)
            rows.append(row)
    print(printed(rows))
    print(
        f"\n{os.cpu_count()} cores, Python {platform.python_version()}; medians; ours and yardstick are of this run, "
        "so their ratio means more than either; what is marked (recorded) is not, and has no ratio"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
