"""Which files a manifest tree has: found by walking, told apart by their stat, read only when that changed."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import CertwrightError, Failed, Problem
from reconciler.manifests.text.rawtext import FILE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN: Final = "-"
STDIN_NAME: Final = "<stdin>"
_ENDINGS: Final = (".yaml", ".yml")
_FILES_LIMIT: Final = 500_000
_NAME: Final = attrgetter("name")
_ASTRAY: Final = {
    errno.ENOENT: "leads nowhere: mend it, or remove it",
    errno.ELOOP: "leads back to itself: mend it, or remove it",
}
UNREAD: Final = "unread"
"""The signature of no file at all."""
_TO_DIRECTORY: Final = "is a symbolic link to a directory outside of the tree; copy it, or name it with a further -f"
_TO_OWN_DIRECTORY: Final = "is a symbolic link to a directory of the tree, whose files are read there; remove the link"


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
        path = absolute(root)
        if not _is_text(path):
            problems.append(_unreadable(path))
            continue
        try:
            facts = Path(path).stat()
        except OSError as error:
            problems.append(Problem(path, 0, 0, f"cannot be read: {error.strerror}" + _advice(error)))
            continue
        if Path(path).is_dir():
            found.update(_walk_directory(path, os.path.realpath(path), problems))
        else:
            found[path] = _signature(facts)
    return Walked(found, tuple(problems))


def absolute(root: str) -> str:
    """Give the path of a root, without `..`: what leads up to the last of them is where the links in it lead."""
    parts = Path(root).absolute().parts
    ups = len(parts) - parts[::-1].index("..") if ".." in parts else 0
    return str(Path(os.path.realpath(Path(*parts[:ups])), *parts[ups:])) if ups else str(Path(*parts))


def _is_text(path: str) -> bool:
    return path.isascii() or not any("\udc80" <= char <= "\udcff" for char in path)


def _unreadable(path: str) -> Problem:
    shown = os.fsencode(path).decode(errors="backslashreplace")
    return Problem(shown, 0, 0, "has a name that is not UTF-8: rename it")


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


def is_gone(path: str) -> bool:
    """Tell whether nothing stands at a file's path."""
    return path != STDIN_NAME and not os.path.lexists(path)


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
        if not _is_text(entry.name):
            if entry.name.endswith(_ENDINGS) or entry.is_dir():
                problems.append(_unreadable(entry.path))
        elif entry.is_file(follow_symlinks=False):
            if entry.name.endswith(_ENDINGS):
                found[entry.path] = _signature(entry.stat(follow_symlinks=False))
        elif entry.is_dir(follow_symlinks=False):
            pending.append(entry.path)
        elif entry.is_symlink():
            _follow(entry, real_top, found, problems)
        elif entry.name.endswith(_ENDINGS):
            found[entry.path] = _signature(entry.stat())
    except OSError as error:
        problems.append(Problem(entry.path, 0, 0, f"cannot be read: {error.strerror}"))


def _follow(entry: os.DirEntry[str], real_top: str, found: dict[str, str], problems: list[Problem]) -> None:
    """Add the file that a link leads to, if it is one of the tree; a link that could be no manifest is left alone."""
    named, text = entry.name.endswith(_ENDINGS), ""
    try:
        facts = entry.stat()
    except OSError as error:
        text = f"is a symbolic link that {_ASTRAY.get(error.errno or 0, f'cannot be followed: {error.strerror}')}"
    else:
        stays = os.path.realpath(entry.path).startswith(real_top.rstrip("/") + "/")
        if stat.S_ISDIR(facts.st_mode):
            named, text = True, _TO_OWN_DIRECTORY if stays else _TO_DIRECTORY
        elif not stays:
            text = "is a symbolic link that leaves the tree; copy the file"
        elif named:
            found[entry.path] = _signature(facts)
    if named and text:
        problems.append(Problem(entry.path, 0, 0, text))


def read(path: str) -> bytes | Problem:
    """Read one file of the tree; bounded, regular files only. Standard input is read up to its end."""
    if path == STDIN_NAME:
        return _read_stdin()
    try:
        return files.read_file(path, FILE_LIMIT, follow=True)
    except (Failed, CertwrightError) as failure:
        return Problem(path, 0, 0, str(failure).removeprefix(f"{path} "))


def _read_stdin() -> bytes | Problem:
    if sys.stdin is None:  # so Python tells of a descriptor that is closed
        return Problem(STDIN_NAME, 0, 0, "cannot be read: it is closed")
    try:
        raw = sys.stdin.buffer.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        return Problem(STDIN_NAME, 0, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    too_long = f"has more than the {FILE_LIMIT} bytes allowed: name files with -f"
    return Problem(STDIN_NAME, 0, 0, too_long) if len(raw) > FILE_LIMIT else raw
