"""The yardstick of a pass with nothing to do: bare scandir and stat of the files below some directories."""

from __future__ import annotations

import os
import sys


def scan(tops: list[str]) -> int:
    """Stat every entry below each directory, without following links; give how many."""
    count = 0
    while tops:
        with os.scandir(tops.pop()) as entries:
            for entry in entries:
                count += 1
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    tops.append(entry.path)
    return count


if __name__ == "__main__":
    scan(sys.argv[1:])
