"""Which process listens on a port, as far as this machine lets us see."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from reconciler.model.text import clean

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]", re.ASCII)


def who_listens(port: int) -> str | None:
    """Give `NAME (process PID)`, None if it cannot be seen: other users' processes are visible to root only."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _inodes(_PROC / "net" / table, port)}
    for process in _PROC.iterdir() if inodes else ():
        if process.name.isdecimal() and inodes & _sockets(process):
            with suppress(OSError):
                name = clean((process / "comm").read_text(errors="replace").strip(), 40)
                return f"{name} (process {process.name})"
    return None


def _inodes(table: Path, port: int) -> list[str]:
    found: list[str] = []
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(fields[9])
    return found


def _sockets(process: Path) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                match = _SOCKET.fullmatch(str(descriptor.readlink()))
                if match:
                    found.add(match.group(1))
    return found
