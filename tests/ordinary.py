"""An ordinary user's process, started by root: his rights alone, and a Python that he can reach."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UID = 60003
_NEEDED = (Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parent.parent)


class Ordinary(Program):
    """The program, run by an ordinary user."""

    def argv(self, *arguments: str) -> list[str]:
        return as_user(super().argv(*arguments), self.root / "hold")


@contextmanager
def ordinary_program() -> Iterator[Program]:
    """Give the program where every user can reach it: manifests of root's, state and files of the user's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        (Path(place) / "hold").mkdir()
        program = Ordinary(Path(place)).prepare()
        program.state.mkdir(mode=0o700)
        for path in (program.out, program.state):
            os.chown(path, UID, UID)
        yield program


def as_user(argv: Sequence[str], hold: Path, *, network: bool = True) -> list[str]:
    """Give the command that runs `argv` as `UID`, with the group of the same number and no other.

    Without `network` it has one of its own, in which nothing is set up: no port below 1024 is for everybody.

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
    lines.append(f'exec setpriv --reuid={UID} --regid={UID} --clear-groups -- "$@"')
    apart = [] if network else ["--net"]
    return ["unshare", "--mount", *apart, "sh", "-c", "\n".join(lines), "sh", *argv]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _closed(path: Path) -> Path | None:
    """Give the topmost directory on the way that others may not enter."""
    return next((one for one in (*reversed(path.parents), path) if not one.stat().st_mode & 0o001), None)
