"""The public face of the processes door: `from reconciler.doors.processes.api import run`."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors.processes._program import DIRECTORIES, missing, refused, resolve_program
from reconciler.doors.processes._watch import FLOOD_LIMIT, OUTPUT_LIMIT, Ending, Watch
from reconciler.errors import Failed
from reconciler.model.text import Foreign, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["FLOOD_LIMIT", "OUTPUT_LIMIT", "Ending", "Finished", "resolve_program", "run"]

_ENVIRONMENT: Final = {"PATH": ":".join(DIRECTORIES), "LANG": "C.UTF-8"}
_REAP: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended. `output`: stdout and stderr merged (unless asked), the first 64 KiB; `seconds`: how long.

    `ended` tells whether it exited by itself or we killed its process group: at the deadline, for printing over 16
    MiB, or because `stop` said so. `returncode` is negative for a signal.
    """

    returncode: int
    output: bytes
    ended: Ending
    seconds: float

    @property
    def timed_out(self) -> bool:
        """Tell whether the deadline ended it."""
        return self.ended == "deadline"

    @property
    def ok(self) -> bool:
        """Tell whether it exited by itself, with 0."""
        return self.ended == "exit" and self.returncode == 0

    @property
    def end(self) -> str:
        """Say how it ended, to go on after its name: `ended with code 3`, `was ended by SIGTERM`."""
        killed = {
            "deadline": f"did not end within {self.seconds:.0f} s and was killed",
            "flood": f"printed over {FLOOD_LIMIT >> 20} MiB and was killed",
            "stop": "was killed, since certwright stops",
        }
        left = (
            f"ended with code {self.returncode}" if self.returncode >= 0 else f"was ended by {_signal(self.returncode)}"
        )
        return killed.get(self.ended, left)

    @property
    def text(self) -> Foreign:
        """The output as text that must be cleaned before anybody sees it."""
        return Foreign(self.output)


def _signal(returncode: int) -> str:
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 30.0,
    user: str | None = None,
    stop: Callable[[], bool] | None = None,
    merged: bool = True,
) -> Finished:
    """Run a command and wait for it, at most `timeout` seconds; a failing command is no exception, `Finished` tells.

    It runs in `/`, in a session of its own, with `PATH` and `LANG` only, as `user` if given. What it leaves running
    when it exits by itself is left alone; at the deadline its whole process group is killed. `stop` is asked ten
    times a second whether to end early. What it says on stderr is lost unless `merged`.
    Raises Failed: `CommandMissing`, `CommandRefused`.
    """
    started = time.monotonic()
    child = _start(argv, user, piped=bool(stdin), errors=subprocess.STDOUT if merged else subprocess.DEVNULL)
    try:
        watch = Watch(child, stdin, started + timeout, stop)
        try:
            ended = watch.follow()
        finally:
            watch.close()
    except BaseException as error:
        _kill(child)
        _reap(child)
        if isinstance(error, OSError):
            raise refused(
                argv[0], f"could not be followed ({os.strerror(error.errno or 0)}); look at ulimit -n"
            ) from error
        raise
    if ended != "exit":
        _kill(child)
    return Finished(_reap(child), bytes(watch.output), ended, time.monotonic() - started)


def _start(argv: Sequence[str], user: str | None, *, piped: bool, errors: int) -> subprocess.Popen[bytes]:
    if not argv or any("\0" in word for word in argv):
        raise refused(argv[0] if argv else "", "is not a command; give a program and words without NUL")
    words = [resolve_program(argv[0]), *argv[1:]]
    try:
        with _on_every_cpu():
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
                **_identity(user),
            )
    except FileNotFoundError as error:
        raise missing(words[0], "or the interpreter in its first line is missing; install it") from error
    except OSError as error:
        raise refused(words[0], f"could not be started ({os.strerror(error.errno or 0)}); try it by hand") from error


@contextmanager
def _on_every_cpu() -> Iterator[None]:
    """Let a child have all CPUs of this process although the thread that starts it may share one (`one_cpu`).

    Where a filter of system calls refuses that, the child is started all the same.
    """
    shared: set[int] = set()
    with suppress(OSError):
        mine, all_of_us = os.sched_getaffinity(0), os.sched_getaffinity(os.getpid())
        if mine != all_of_us:
            os.sched_setaffinity(0, all_of_us)
            shared = mine
    try:
        yield
    finally:
        if shared:
            with suppress(OSError):
                os.sched_setaffinity(0, shared)


def _identity(user: str | None) -> dict[str, Any]:
    """Give Popen's arguments for running as somebody else, with that user's group and no other."""
    if user is None:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Failed("CommandRefused", f"no such user: {clean(user)}; create it or name another") from None
    if entry.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise Failed(
            "CommandRefused", f"only root can run a command as {clean(user)}; leave the user out or run as root"
        )
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the process group; the child is not reaped yet, so that the number is still its own."""
    if child.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


def _reap(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait(_REAP)
    except subprocess.TimeoutExpired:  # stuck in the kernel, as on a dead network mount
        return -signal.SIGKILL
