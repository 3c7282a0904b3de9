"""What held manifests and holds nothing now: a mount point whose disk is away, a file that somebody is writing.

For the watch loop alone: a person who means it says so by `apply`, or deletes the file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests import reading
from reconciler.manifests.lastgood.memory import LastGood, is_below
from reconciler.manifests.walking import STDIN, absolute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.manifests.shelf import Shelf
    from reconciler.manifests.walking import Walked


def empty_roots(walked: Walked, settings: Settings, shelf: Shelf) -> tuple[Problem, ...]:
    """Give a problem for each directory without any manifest, of which there were some."""
    known = {problem.file for problem in walked.problems}
    empty = [path for path in _directories(settings) if path not in known and not _has(walked, path)]
    text = "holds no manifest, though it did: is its disk mounted?"
    if walked.files:  # a whole tree that is empty removes nothing
        text += " If they are gone for good: certwright apply"
    return tuple(Problem(path, 0, 0, text) for path in empty if _had(path, settings, shelf))


def _directories(settings: Settings) -> Iterator[str]:
    paths = (absolute(root) for root in settings.roots if root != STDIN)
    yield from (path for path in paths if Path(path).is_dir())


def _has(walked: Walked, path: str) -> bool:
    beginning = path.rstrip("/") + "/"
    return any(file.startswith(beginning) for file in walked.files)


def _had(path: str, settings: Settings, shelf: Shelf) -> bool:
    if any(is_below(file, {path}) for file in shelf.files()):
        return True
    shelf.look()
    return bool(LastGood(shelf, settings.last_good).below({path}))


def emptied(read: FileReading, former: str) -> FileReading:
    """Give a file's reading; with a problem where it holds nothing and held something (`former`: as it was packed)."""
    if read.resources or read.invalid or read.problems:
        return read
    try:
        names = reading.names_in(former)
    except ValueError:
        return read
    if not names:
        return read
    kind, name = names[0]
    text = f"holds nothing, though it held {kind} {name}: is it being written? Delete the file if that shall go"
    return replace(read, problems=(Problem(read.path, 1, 1, text),))
