"""File systems of a test's own."""

from __future__ import annotations

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
