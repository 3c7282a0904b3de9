"""Compares a store on disk with the table of its layout."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from reconciler.store import layout

ROWS = [
    (re.compile(re.sub(r"<[a-z]+>", r"[^/]+", re.escape(row.pattern).replace("\\<", "<"))), row.mode)
    for row in layout.ROWS
]


def names(path: str | Path) -> list[str]:
    """Give what is in a directory."""
    return sorted(entry.name for entry in Path(path).iterdir())


def check_modes(root: str) -> None:
    """Every path is one of the table, with its kind and mode."""
    assert stat.S_IMODE(Path(root).stat().st_mode) == 0o700
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = f"{folder}/{name}"
            _check(path, path.removeprefix(f"{root}/"))


def _check(path: str, relative: str) -> None:
    if relative.startswith("tmp/") or relative.endswith(("sqlite-wal", "sqlite-shm")):
        return
    facts = os.lstat(path)
    relative += "/" if stat.S_ISDIR(facts.st_mode) else ""
    found = [mode for pattern, mode in ROWS if pattern.fullmatch(relative)]
    assert found, f"{relative} stands in no row of the table"
    if stat.S_ISLNK(facts.st_mode):
        assert None in found, relative
    else:
        assert stat.S_IMODE(facts.st_mode) in found, f"{relative} has mode {facts.st_mode:o}"
