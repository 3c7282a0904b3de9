"""What a target may have done on this machine: its own declared commands, run as argument lists, never by a shell.

Beside them looks at its own directory, and words to its own runtime socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from reconciler.execute.batches import runtime
from reconciler.execute.batches.named import NamedFiles
from reconciler.model.text import Foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        """Run it; -1 with a sentence if it could not be started or did not end in time."""
        return self._ran(what, argv, b"")

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:
        """Run it with a task on its standard input; -1 as for `run`."""
        return self._ran("install", argv, task.encode() + b"\n")

    def _ran(self, what: str, argv: Sequence[str], stdin: bytes) -> tuple[int, str]:
        try:
            finished = processes.run(argv, stdin=stdin, timeout=_SECONDS[what], stop=self.stop)
        except Failed as failure:
            return -1, str(failure)
        if finished.ended == "stop":
            return -1, f"{argv[0]} was killed, since certwright was told to stop"
        if finished.timed_out:
            return -1, f"{argv[0]} did not end within {_SECONDS[what]:.0f} s and was killed"
        lines = finished.output.decode("utf-8", "replace").splitlines()
        return finished.returncode, "\n".join(Foreign(line).shown(_SHOWN) for line in lines[:200])

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        """Check what the files of a target's own directory name."""
        return self.named.unusable(directory, suffix, named)

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        """Say one command to a runtime socket."""
        return runtime.ask(socket, command, payload)
