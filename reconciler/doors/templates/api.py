"""The public face of the door: `Renderer`, `Job` and `RenderError`; one child renders all that is asked."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.doors.templates._jobs import Job, Packed, RenderError, packed, parts, request
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CHILD: Final = Path(__file__).with_name("_render_child.py")
_HEADER: Final = 5
_OUTPUT_LIMIT: Final = 16 * 1024 * 1024
_CACHE_LIMIT: Final = 16 * 1024 * 1024
# a job may use 5 s of processor time; on a busy machine that takes longer
_JOB_SECONDS: Final = 60.0
# the kernel's answers to too much processor time, a stack that cannot grow, an allocation that C code cannot do without
_LIMIT_SIGNALS: Final = frozenset({signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT})
_OVER_LIMIT: Final = "it used more than 5 s of processor time or 512 MiB of memory"
_SPENT: Final = 3
_GIVEN_UP: Final = f"not tried, since {_SPENT} other texts of this template took too long or too much memory"
_SILENT: Final = "the render process ended or gave no answer in time"
_CANNOT_START: Final = "the render process cannot start"


class _Died(Exception):
    """The child ended with `code` in the middle of a job, fell silent (None), or was never born, and then `why`."""

    def __init__(self, code: int | None, why: str = "") -> None:
        self.code, self.why = code, why
        super().__init__()


__all__ = ["Job", "RenderError", "Renderer"]


class Renderer:
    """One render child for all templates, since one a site would cost 10,000 starts. Safe among threads.

    The child starts with the first job that is not in the cache, also among threads: no Python runs before its exec.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._known: OrderedDict[str, str | RenderError] = OrderedDict()
        self._known_bytes = 0

    def close(self) -> None:
        """End the child; a later `render` starts another."""
        with self._lock:
            self._stop()

    def render(self, batch: Sequence[Job]) -> list[str | RenderError]:
        """Render each job, in order. A job that eats the machine fails alone; a fresh child does the others.

        But not for ever: once three of one template did so, the others of that template are not tried in this call.
        """
        ready = [packed(job) for job in batch]
        with self._lock:
            jobs = {job.digest: job for job in ready if isinstance(job, Packed)}
            found = {digest: self._known[digest] for digest in jobs if digest in self._known}
            for digest in found:
                self._known.move_to_end(digest)
            spent = Counter(jobs[digest].template_digest for digest, answer in found.items() if _is_over_limit(answer))
            for part in parts([job for digest, job in jobs.items() if digest not in found]):
                self._render_part(part, found, spent)
        return [job if isinstance(job, RenderError) else found[job.digest] for job in ready]

    def _render_part(self, jobs: list[Packed], found: dict[str, str | RenderError], spent: Counter[str]) -> None:
        """Render jobs until all have an answer; whichever was in work when the child died is the culprit."""
        left = _tried(jobs, found, spent)
        while left:
            answered = 0
            try:
                for job, answer in zip(left, self._asked(left), strict=False):
                    found[job.digest] = answer
                    self._keep(job.digest, answer)
                    answered += 1
            except _Died as died:
                self._stop()
                spent[left[answered].template_digest] += 1
                answered += self._blame(left[answered:], died, found)
            left = _tried(left[answered:], found, spent)

    def _asked(self, jobs: list[Packed]) -> Iterator[str | RenderError]:
        """Give one answer after the other; fewer than jobs where a fresh child should go on."""
        child = self._running()
        body = request(jobs)
        try:
            _write(child, len(body).to_bytes(_HEADER - 1, "big") + body)
            for job in jobs:
                kind, text = _answer(child)
                yield text if kind == b"t" else _error(job.name, text)
                if kind == b"m":
                    self._stop()
                    return
        except (OSError, ValueError):
            raise _Died(_exit_code(child)) from None

    def _blame(self, left: list[Packed], died: _Died, found: dict[str, str | RenderError]) -> int:
        """Give the unanswered jobs that the child's end concerns their errors, and tell how many these are."""
        if died.code is not None and died.code >= 0:
            # it left by itself: it could not start, so another one could not either
            found.update({job.digest: RenderError(job.name, 0, f"{_CANNOT_START}{died.why}") for job in left})
            return len(left)
        culprit = left[0]
        limited = died.code is not None and -died.code in _LIMIT_SIGNALS
        error = RenderError(culprit.name, 0, _OVER_LIMIT if limited else _SILENT)
        found[culprit.digest] = error
        if limited:
            self._keep(culprit.digest, error)
        return 1

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._stop()
            self._child = _born()
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def _keep(self, digest: str, answer: str | RenderError) -> None:
        """Remember an answer: the same template and variables always give the same text."""
        self._known[digest] = answer
        self._known_bytes += _weight(answer)
        while self._known_bytes > _CACHE_LIMIT:
            _, old = self._known.popitem(last=False)
            self._known_bytes -= _weight(old)


def _born() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise _Died(0, f": {os.strerror(error.errno or 0)}") from error


def _is_over_limit(answer: str | RenderError) -> bool:
    return isinstance(answer, RenderError) and answer.reason == _OVER_LIMIT


def _tried(jobs: list[Packed], found: dict[str, str | RenderError], spent: Counter[str]) -> list[Packed]:
    """Give the jobs that are worth a try, and the others their error, which nobody keeps."""
    hopeless = [job for job in jobs if spent[job.template_digest] >= _SPENT]
    found.update({job.digest: RenderError(job.name, 0, _GIVEN_UP) for job in hopeless})
    return [job for job in jobs if job.digest not in found] if hopeless else jobs


def _weight(answer: str | RenderError) -> int:
    return 500 + (len(answer) if isinstance(answer, str) else 0)


def _write(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write a request; the child reads it whole before it answers, so neither waits for the other."""
    pipe, view = child.stdin, memoryview(data)
    if pipe is None:
        raise OSError
    deadline = time.monotonic() + _JOB_SECONDS
    os.set_blocking(pipe.fileno(), False)
    while view:
        _await(pipe.fileno(), select.POLLOUT, deadline)
        try:
            view = view[os.write(pipe.fileno(), view) :]
        except BlockingIOError:
            continue


def _answer(child: subprocess.Popen[bytes]) -> tuple[bytes, str]:
    if child.stdout is None:
        raise OSError
    deadline = time.monotonic() + _JOB_SECONDS
    header = _read(child.stdout.fileno(), _HEADER, deadline)
    size = int.from_bytes(header[1:], "big")
    if size > _OUTPUT_LIMIT:
        raise ValueError
    return header[:1], _read(child.stdout.fileno(), size, deadline).decode()


def _read(descriptor: int, size: int, deadline: float) -> bytes:
    got = bytearray()
    while len(got) < size:
        _await(descriptor, select.POLLIN, deadline)
        more = os.read(descriptor, min(size - len(got), 1024 * 1024))
        if not more:
            raise OSError
        got += more
    return bytes(got)


def _await(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _exit_code(child: subprocess.Popen[bytes]) -> int | None:
    """Give the exit code of a child that has closed its pipe (so it is gone in no time), None if it still runs."""
    try:
        return child.wait(1.0)
    except subprocess.TimeoutExpired:
        return None


def _error(name: str, text: str) -> RenderError:
    line, _, reason = text.partition(" ")
    return RenderError(name, int(line) if line.isdecimal() else 0, clean(reason))
