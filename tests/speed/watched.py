"""Run certwright's command line in this process and tell, as JSON on standard error's last line, what it touched.

`python -I watched.py CHECKOUT ARGUMENT ...`: opened paths, sockets, programs and imported modules.
"""

from __future__ import annotations

import json
import sys

ACTS = ("socket.", "subprocess.", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.")
"""How the events begin that tell of a socket or a program."""


def main() -> int:
    """Watch one run."""
    checkout, *arguments = sys.argv[1:]
    sys.path.insert(0, checkout)
    opened: list[str] = []
    others: list[str] = []

    def hook(event: str, values: tuple[object, ...]) -> None:
        if event in {"open", "sqlite3.connect", "os.listdir", "os.scandir"}:
            opened.append(f"{event} {values[0]}")
        elif event.startswith(ACTS) and event != "socket.gethostname":
            others.append(event)

    sys.addaudithook(hook)
    from reconciler.cli import main as certwright

    sys.argv = ["certwright", *arguments]
    try:
        code = certwright()
    except SystemExit as end:
        code = int(end.code or 0)
    told = {"code": code, "opened": opened, "others": others, "modules": sorted(sys.modules)}
    sys.stderr.write(f"\n{json.dumps(told)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
