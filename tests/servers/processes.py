"""Start a program, wait until it is ready, end it by its own id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
PEBBLE_DIR = CHECKOUT / ".cache" / "pebble"
_SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(PEBBLE_DIR)])
READY_SECONDS = 20.0
STOP_SECONDS = 5.0


class MissingProgramError(AssertionError):
    """A server that the tests need is not installed: a failure of the test, never a reason to skip it."""


class ServerDiedError(AssertionError):
    """A server ended by itself, or was not ready in time; the message holds the end of its log."""


def program(name: str) -> str:
    """Give the absolute path of an installed program."""
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        message = f"{name} is not installed; type: tools/install-servers.sh"
        raise MissingProgramError(message)
    return found


def tail(log: Path, size: int = 2000) -> str:
    """Give the last `size` bytes of a log as text; empty if there is none."""
    return log.read_bytes()[-size:].decode(errors="replace") if log.exists() else ""


def until(ready: Callable[[], object], what: str, seconds: float = READY_SECONDS) -> None:
    """Ask `ready` again and again, soon at first; fail with `what` after `seconds`."""
    deadline, pause = time.monotonic() + seconds, 0.002
    while not ready():
        if time.monotonic() > deadline:
            message = f"not within {seconds:g} s: {what}"
            raise AssertionError(message)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def listens(address: str, port: int) -> bool:
    """Tell whether somebody accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def running(
    argv: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, ready when `ready()` says so, until the block ends. Output goes to `log`; `env` adds to ours."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(env or {})}
        )
    try:
        _await(process, argv, log, ready)
        yield process
    finally:
        stop(process)


def _await(process: subprocess.Popen[bytes], argv: Sequence[str], log: Path, ready: Callable[[], bool]) -> None:
    try:
        until(lambda: process.poll() is not None or ready(), "ready")
    except AssertionError as error:
        message = f"{argv[0]} is not ready, {error}; its log:\n{tail(log)}"
        raise ServerDiedError(message) from error
    if process.poll() is not None:
        message = f"{argv[0]} ended with {process.returncode}:\n{tail(log)}"
        raise ServerDiedError(message)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started, kindly, then not; wait for it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
