"""File systems of a test's own."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def mounted(place: Path, *how: str) -> Iterator[Path]:
    """Mount something at a directory, which is made if there is none, until the block ends."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *how, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def in_memory(options: str) -> list[str]:
    """Say how a file system in memory is mounted, with options such as `size=64k`."""
    return ["-t", "tmpfs", "-o", options, "certwright"]


def fill(path: Path, spare: int = 0) -> Path:
    """Use up what space is left, but for `spare` bytes (a multiple of 4096)."""
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    os.truncate(ballast, ballast.stat().st_size - spare)
    return ballast
