"""What a name, a path and a mode may be, before any of them reaches the kernel."""

from __future__ import annotations

import re
from typing import Final

from reconciler.doors.files._failures import refused

_PART: Final = re.compile(r"[A-Za-z0-9_.@+-]{1,255}", re.ASCII)
_LONGEST_PATH: Final = 4095
_PERMISSIONS: Final = 0o777


def check_part(name: str) -> str:
    """Give back one safe part of a path, or raise `FileFailed(PathRefused)`.

    `fullmatch`, since `$` lets a final newline pass; `.` and `..` are refused by us, since the kernel follows them.
    """
    if _PART.fullmatch(name) is None or name in {".", ".."}:
        raise refused(repr(name), "is not a safe file name; use 1 to 255 of the characters A-Z a-z 0-9 _ . @ + -")
    return name


def check_path(path: str) -> tuple[str, ...]:
    """Split an absolute path of safe parts only (what a manifest may name); one final `/` is allowed."""
    parts = split(path, absolute=True)
    for part in parts:
        check_part(part)
    return parts


def check_mode(mode: int) -> int:
    """Give back permission bits within 0777: no set-user-id, no set-group-id, no sticky bit."""
    if mode & ~_PERMISSIONS or mode < 0:
        raise refused(f"mode {mode:o}", "is not within 0777; leave the set-id and sticky bits out")
    return mode


def split(path: str, *, absolute: bool) -> tuple[str, ...]:
    """Split a path; refuse what the kernel would accept silently: `.`, `..`, `//`, the other kind of path.

    Spaces and letters of any alphabet pass: the trees that people read from may lie anywhere.
    """
    if path.startswith("/") is not absolute:
        raise refused(path, "must start with /" if absolute else "must not start with /")
    if "\0" in path or len(path) > _LONGEST_PATH:
        raise refused(path, f"is not a path; at most {_LONGEST_PATH} characters, none of them NUL")
    inner = path.removeprefix("/").removesuffix("/")
    parts = tuple(inner.split("/")) if inner else ()
    if any(part in {"", ".", ".."} for part in parts):
        raise refused(path, "holds an empty part, `.` or `..`; write the path out")
    return parts
