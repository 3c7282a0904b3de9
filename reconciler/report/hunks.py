"""Differences of files: unified diffs of configuration, and words alone for what holds key material."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from reconciler.model.names import Part
from reconciler.model.observed import FileChange

if TYPE_CHECKING:
    from reconciler.model.changes import PlannedFile

SIGNS: Final = {
    FileChange.CREATE: "+",
    FileChange.ADOPT: "+",
    FileChange.REMOVE: "-",
}
_MOST: Final = 200


def file_diff(file: PlannedFile) -> str:
    """Give the unified diff of a configuration file, at most 200 lines; empty for material, whatever it carries."""
    if file.part is not Part.CONFIG or (file.before is None and file.after is None):
        return ""
    before, after = (file.before or "").splitlines(), (file.after or "").splitlines()
    there = "/dev/null" if file.before is None else file.path
    then = "/dev/null" if file.after is None else file.path
    lines = [visible(line) for line in difflib.unified_diff(before, after, there, then, lineterm="")]
    rest = [f"... and {len(lines) - _MOST} lines more"] if len(lines) > _MOST else []
    return "\n".join([*lines[:_MOST], *rest])


def file_line(file: PlannedFile) -> str:
    """Give the one line of a file: sign, path, what happens, how its rights change; of material no content."""
    unseen = file.part is not Part.CONFIG and file.change in _REWRITES and not file.same
    words = [
        file.change.value,
        *(["content differs"] if unseen else []),
        *([visible(file.rights)] if file.rights else []),
    ]
    return f"{SIGNS.get(file.change, '~')} {visible(file.path)} ({', '.join(words)})"


def visible(text: str) -> str:
    """Give one line without control codes; a tab stays."""
    return "".join(char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in text)


_REWRITES: Final = frozenset({FileChange.UPDATE, FileChange.RESTORE})
