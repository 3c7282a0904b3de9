"""Which files a manifest tree has: found by walking, told apart by their stat, read only when that changed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import CertwrightError, Failed, Problem
from reconciler.manifests.rawtext import FILE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"
_ENDINGS: Final = (".yaml", ".yml")
_FILES_LIMIT: Final = 500_000
_STDIN_LIMIT: Final = 64 << 20
_NAME: Final = attrgetter("name")


@dataclass(frozen=True, slots=True)
class Walked:
    """The files of the roots by path with their signatures, and what is wrong with the tree itself."""

    files: dict[str, str]
    problems: tuple[Problem, ...]


def walk(roots: Sequence[str]) -> Walked:
    """Walk directories (`*.yaml`, `*.yml`; names that start with a dot are skipped); take files as they are named."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for root in roots:
        if root == STDIN:
            found[STDIN_NAME] = ""
            continue
        path = str(Path(root).absolute())
        try:
            facts = Path(path).stat()
        except OSError as error:
            problems.append(Problem(path, 0, 0, f"cannot be read: {error.strerror}" + _advice(error)))
            continue
        if Path(path).is_dir():
            found.update(_walk_directory(path, str(Path(path).resolve()), problems))
        else:
            found[path] = _signature(facts)
    return Walked(found, tuple(problems))


def _advice(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "; name your manifest tree with -f, or make one with `certwright init`"
    return ""


def _signature(facts: os.stat_result) -> str:
    return "%x.%x.%x.%x" % (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)  # noqa: UP031  twice as fast


def signature_of(path: str) -> str:
    """Sign one file by its stat; empty if it is not there."""
    try:
        return _signature(Path(path).stat())
    except OSError:
        return ""


def _walk_directory(top: str, real_top: str, problems: list[Problem]) -> dict[str, str]:
    found: dict[str, str] = {}
    pending = [top]
    count = 0
    while pending:
        directory = pending.pop()
        try:
            entries = sorted(os.scandir(directory), key=_NAME)
        except OSError as error:
            problems.append(Problem(directory, 0, 0, f"cannot be read: {error.strerror}"))
            continue
        count += len(entries)
        if count > _FILES_LIMIT:
            problems.append(Problem(top, 0, 0, f"has more than {_FILES_LIMIT} files"))
            return found
        for entry in entries:
            if not entry.name.startswith("."):
                _enter(entry, real_top, (found, pending), problems)
    return found


def _enter(
    entry: os.DirEntry[str], real_top: str, into: tuple[dict[str, str], list[str]], problems: list[Problem]
) -> None:
    """Add a file to the found ones, a directory to the pending ones. Ten thousand files come by here in each pass."""
    found, pending = into
    try:
        if entry.is_file(follow_symlinks=False):
            if entry.name.endswith(_ENDINGS):
                found[entry.path] = _signature(entry.stat(follow_symlinks=False))
        elif entry.is_symlink() and not _stays(entry.path, real_top):
            if entry.name.endswith(_ENDINGS) or entry.is_dir():
                problems.append(Problem(entry.path, 0, 0, "is a symbolic link that leaves the tree; copy the file"))
        elif entry.is_dir(follow_symlinks=False):
            pending.append(entry.path)
        elif entry.name.endswith(_ENDINGS):
            found[entry.path] = _signature(entry.stat())
    except OSError as error:
        problems.append(Problem(entry.path, 0, 0, f"cannot be read: {error.strerror}"))


def _stays(path: str, real_top: str) -> bool:
    real = str(Path(path).resolve())
    return real.startswith(real_top.rstrip("/") + "/") and Path(real).is_file()


def read(path: str) -> bytes | Problem:
    """Read one file of the tree; bounded, regular files only."""
    if path == STDIN_NAME:
        return sys.stdin.buffer.read(_STDIN_LIMIT)
    try:
        return files.read_file(path, FILE_LIMIT, follow=True)
    except (Failed, CertwrightError) as failure:
        return Problem(path, 0, 0, str(failure).removeprefix(f"{path} "))
