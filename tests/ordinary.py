"""An ordinary user's process, started by root: his rights alone, and a Python that he can reach."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UID = 60003
_NEEDED = (Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parent.parent)


def as_user(argv: Sequence[str], hold: Path, uid: int = UID, groups: Sequence[int] = ()) -> list[str]:
    """Give the command that runs `argv` as `uid` with the group of the same number and `groups`.

    Where the interpreter lies in a directory that is closed to him, as in root's home, the process sees an empty one in
    its place that holds the interpreter alone; `hold` is an empty directory for that.
    """
    lines = ["set -e"]
    blocked = {path: closed for path in _NEEDED if (closed := _closed(path)) is not None}
    for number, path in enumerate(blocked):
        lines += [f"mkdir -p {hold}/{number}", f"mount --bind {_quoted(path)} {hold}/{number}"]
    lines += [f"mount -t tmpfs -o mode=0755 certwright {_quoted(closed)}" for closed in sorted(set(blocked.values()))]
    for number, path in enumerate(blocked):
        lines += [f"mkdir -p {_quoted(path)}", f"mount --bind {hold}/{number} {_quoted(path)}"]
    extra = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    lines.append(f'exec setpriv --reuid={uid} --regid={uid} {extra} -- "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(lines), "sh", *argv]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _closed(path: Path) -> Path | None:
    """Give the topmost directory on the way that others may not enter."""
    return next((one for one in (*reversed(path.parents), path) if not one.stat().st_mode & 0o001), None)
