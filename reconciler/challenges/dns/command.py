"""Records by a command of the user's own: JSON on standard input, no shell, and what its exit code means.

0: done. 75 (EX_TEMPFAIL): try again later. Any other: failed; the first line that it printed is told.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.patience import Silent
from reconciler.doors.processes import api as processes
from reconciler.errors import Failed, Waiting
from reconciler.model.text import clean

if TYPE_CHECKING:
    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import ExecProvider

TRY_LATER: Final = 75
_LATER: Final = timedelta(minutes=1)
_SHOWN: Final = 200


class Command:
    """Runs the command once for each value: `{"action", "type", "name", "value", "ttl", "zone"}`.

    Names have no final dot; `type` is TXT, A or AAAA.
    """

    def __init__(self, spec: ExecProvider, means: Means) -> None:
        self._spec, self._means = spec, means

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Have a value added. Raises Waiting where the process stops.

        Raises Failed: ProviderBusy, ProviderFailed, CommandMissing, CommandRefused.
        """
        self._run("add", zone, name, value, ttl)

    def add_address(self, zone: str, name: str, address: str, ttl: int) -> None:
        """Have an A or AAAA record added. Raises Failed, Waiting."""
        self._run("add", zone, name, address, ttl, record_type(address))

    def remove_address(self, zone: str, name: str, address: str) -> None:
        """Have this A or AAAA record removed. Raises Failed, Waiting."""
        self._run("remove", zone, name, address, None, record_type(address))

    def remove(self, zone: str, name: str, value: str) -> None:
        """Have a value removed. Raises Failed, Waiting."""
        self._run("remove", zone, name, value, None)

    def _run(self, action: str, zone: str, name: str, value: str, ttl: int | None, kind: str = "TXT") -> None:
        task = {"action": action, "type": kind, "name": name, "value": value, "ttl": ttl, "zone": zone or None}
        clock, seconds = self._means.clock, self._spec.timeout.total_seconds()
        stdin = json.dumps(task).encode() + b"\n"
        self._means.check_stop()
        finished = processes.run(self._spec.command, stdin=stdin, timeout=seconds, stop=clock.stopping)
        if not finished.ok:
            raise self._failure(f"{clean(self._spec.command[0], 80)} ({action} {name})", finished)

    def _failure(self, what: str, finished: processes.Finished) -> Failed | Waiting:
        words = first_line(finished.output)
        match finished.ended:
            case "stop":
                return self._means.stopped()
            case "deadline":
                seconds = self._spec.timeout.total_seconds()
                return Silent("ProviderFailed", f"{what} did not end within {seconds:g} s and was killed")
            case "flood":
                most = processes.FLOOD_LIMIT >> 20
                return Failed("ProviderFailed", f"{what} printed more than {most} MiB and was killed")
            case "exit" if finished.returncode == TRY_LATER:
                until = self._means.clock.now() + _LATER
                return Failed("ProviderBusy", f"{what} asks to try again later{words}", until=until)
            case "exit":
                return Failed("ProviderFailed", f"{what} {finished.end}{words}")


def record_type(address: str) -> str:
    """Give the type of an address record."""
    return "AAAA" if ":" in address else "A"


def first_line(output: bytes) -> str:
    """Give `: WORDS` of what a program printed, "" if it printed nothing."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return f": {clean(lines[0], _SHOWN)}" if lines else ""
