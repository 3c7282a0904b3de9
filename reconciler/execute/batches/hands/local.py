"""What a target may have done on this machine: its own declared commands, run as argument lists, never by a shell.

Beside them looks at its own directory, and words to its own runtime socket.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from reconciler.execute.batches.hands import beside, runtime
from reconciler.execute.batches.hands.named import NamedFiles
from reconciler.model.text import Foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.doors.processes.api import Finished
    from reconciler.model.ports import Clock, Named

_SECONDS: Final = {"test": 120.0, "reload": 120.0, "install": 120.0}
_SHOWN: Final = 4000
GRACE: Final = 30.0
"""Seconds that a command under way is given to end by itself once the process was told to stop."""


@dataclass(slots=True)
class Grace:
    """Tells when a stop ends what is under way: some time after the flag was set."""

    clock: Clock
    _until: float | None = None

    def is_over(self) -> bool:
        """Tell whether the time is over; it begins with the first question after the flag was set."""
        if not self.clock.stopping():
            return False
        if self._until is None:
            self._until = self.clock.monotonic() + GRACE
        return self.clock.monotonic() >= self._until


def _killed(finished: Finished, seconds: float) -> str | None:
    """Say what killed a command; None if it ended by itself."""
    match finished.ended:
        case "deadline":
            return f"did not end within {seconds:.0f} s and was killed"
        case "flood":
            return f"printed over {processes.FLOOD_LIMIT >> 20} MiB and was killed"
        case "stop":
            return "was killed, since certwright was told to stop"
        case "exit":
            return f"was ended by {_signal(-finished.returncode)}" if finished.returncode < 0 else None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True, slots=True)
class LocalHands:
    """Runs commands in this process's own name; `stop` tells whether one under way is to be ended."""

    named: NamedFiles = field(default_factory=NamedFiles)
    stop: Callable[[], bool] | None = None

    @property
    def is_stopped(self) -> bool:
        """Tell whether no command is run to its end any more."""
        return self.stop is not None and self.stop()

    def run(self, what: Literal["test", "reload"], argv: Sequence[str]) -> tuple[int, str]:
        """Run it; with a code below 0 a sentence stands first: it was not started, or what killed it."""
        return self._ran(what, argv, b"")

    def build(self, argv: Sequence[str], source: str, poor: str) -> tuple[int, str]:
        """Run it on a copy of `source`, and put what it makes in place as a whole."""
        return beside.build(lambda words: self.run("reload", words), argv, source, poor)

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:
        """Run it with a task on its standard input; as `run`."""
        return self._ran("install", argv, task.encode() + b"\n")

    def _ran(self, what: str, argv: Sequence[str], stdin: bytes) -> tuple[int, str]:
        try:
            finished = processes.run(argv, stdin=stdin, timeout=_SECONDS[what], stop=self.stop)
        except Failed as failure:
            return -1, str(failure)
        killed = _killed(finished, _SECONDS[what])
        if finished.ended != "exit":
            return -1, f"{argv[0]} {killed}"
        lines = finished.output.decode("utf-8", "replace").splitlines()
        shown = [Foreign(line).shown(_SHOWN) for line in lines[:200]]
        return finished.returncode, "\n".join([f"{argv[0]} {killed}", *shown] if killed else shown)

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        """Check what the files of a target's own directory name."""
        return self.named.unusable(directory, suffix, named)

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        """Say one command to a runtime socket."""
        return runtime.ask(socket, command, payload)
