"""Door to `jinja2`: rendering server configuration in a child process that cannot hurt us.

Enters: template texts and variables (text, numbers, truth values, None, lists and mappings of them). Leaves: rendered
text, or a `RenderError` that names template, line and reason. Must not: import `jinja2` here (`_render_child` does, in
a process with limits on time and memory), give a template anything but copies, let one job's failure touch another.

Templates have no loader (no include, import, extends), no blocks of `call` or `filter`, nothing random. `trim_blocks`,
`lstrip_blocks` and `keep_trailing_newline` are on. What an expression prints must consist of `A-Za-z0-9._/@:+*-`;
spaces, brackets and other punctuation stand in the template's own text.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CHILD: Final = Path(__file__).with_name("_render_child.py")
_HEADER: Final = 5
_TEMPLATE_LIMIT: Final = 1024 * 1024
_VARIABLES_LIMIT: Final = 1024 * 1024
_OUTPUT_LIMIT: Final = 16 * 1024 * 1024
_CACHE_LIMIT: Final = 16 * 1024 * 1024
# one request holds at most so many jobs and bytes: what is lost with a child is small
_BATCH_JOBS: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024
# a job may use 5 s of processor time; on a busy machine that takes longer
_JOB_SECONDS: Final = 60.0
# the kernel's answers to too much processor time, a stack that cannot grow, an allocation that C code cannot do without
_LIMIT_SIGNALS: Final = frozenset({signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT})
_OVER_LIMIT: Final = "it used more than 5 s of processor time or 512 MiB of memory"
_SILENT: Final = "the render process ended or gave no answer in time"
_CANNOT_START: Final = "the render process cannot start"


@dataclass(frozen=True, slots=True)
class Job:
    """One text to render. `name` is what an error calls the template; `variables` are what it may print."""

    name: str
    template: str
    variables: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RenderError:
    """Why a job gave no text. `line` counts from 1, 0 if it is not known."""

    template: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Give one sentence for a person."""
        place = f"{self.template}:{self.line}" if self.line else self.template
        return f"template {place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Packed:
    """A job as it goes to the child: `digest` is the whole job's, `body` the JSON of its variables."""

    digest: str
    name: str
    template: str
    template_digest: str
    body: str


class _Died(Exception):
    """The child ended with `code` in the middle of a job, fell silent (None), or was never born, and then `why`."""

    def __init__(self, code: int | None, why: str = "") -> None:
        self.code, self.why = code, why
        super().__init__()


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
        """Render each job, in order. A job that eats the machine fails alone; a fresh child does the others."""
        packed = [_packed(job) for job in batch]
        with self._lock:
            jobs = {job.digest: job for job in packed if isinstance(job, _Packed)}
            found = {digest: self._known[digest] for digest in jobs if digest in self._known}
            for digest in found:
                self._known.move_to_end(digest)
            for part in _parts([job for digest, job in jobs.items() if digest not in found]):
                self._render_part(part, found)
        return [job if isinstance(job, RenderError) else found[job.digest] for job in packed]

    def _render_part(self, jobs: list[_Packed], found: dict[str, str | RenderError]) -> None:
        """Render jobs until all have an answer; whichever was in work when the child died is the culprit."""
        left = jobs
        while left:
            answered = 0
            try:
                for job, answer in zip(left, self._asked(left), strict=False):
                    found[job.digest] = answer
                    self._keep(job.digest, answer)
                    answered += 1
            except _Died as died:
                self._stop()
                answered += self._blame(left[answered:], died, found)
            left = left[answered:]

    def _asked(self, jobs: list[_Packed]) -> Iterator[str | RenderError]:
        """Give one answer after the other; fewer than jobs where a fresh child should go on."""
        child = self._running()
        request = _request(jobs)
        try:
            _write(child, len(request).to_bytes(_HEADER - 1, "big") + request)
            for job in jobs:
                kind, text = _answer(child)
                yield text if kind == b"t" else _error(job.name, text)
                if kind == b"m":
                    self._stop()
                    return
        except (OSError, ValueError):
            raise _Died(_exit_code(child)) from None

    def _blame(self, left: list[_Packed], died: _Died, found: dict[str, str | RenderError]) -> int:
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


def _weight(answer: str | RenderError) -> int:
    return 500 + (len(answer) if isinstance(answer, str) else 0)


def _packed(job: Job) -> _Packed | RenderError:
    """Make copies that hold nothing but JSON's own types, and the digests."""
    try:
        body = json.dumps(dict(job.variables), sort_keys=True, allow_nan=False)
        text = job.template.encode()
    except (TypeError, ValueError, RecursionError):
        return RenderError(job.name, 0, "its variables are not text, numbers, truth values, lists and mappings alone")
    if len(text) > _TEMPLATE_LIMIT or len(body) > _VARIABLES_LIMIT:
        return RenderError(job.name, 0, f"over {_TEMPLATE_LIMIT} bytes of template or of variables")
    template_digest = hashlib.sha256(text).hexdigest()
    digest = hashlib.sha256(f"{template_digest}\0{job.name}\0{body}".encode("utf-8", "surrogatepass")).hexdigest()
    return _Packed(digest, job.name, job.template, template_digest, body)


def _parts(jobs: list[_Packed]) -> Iterator[list[_Packed]]:
    part: list[_Packed] = []
    size = 0
    for job in jobs:
        # a template that many jobs share is counted each time: parts only get smaller by that
        weight = len(job.body) + (len(job.template) if not part or part[-1].template is not job.template else 0)
        if part and (len(part) >= _BATCH_JOBS or size + weight > _BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(job)
        size += weight
    if part:
        yield part


def _request(jobs: list[_Packed]) -> bytes:
    templates = json.dumps({job.template_digest: job.template for job in jobs})
    listed = ",".join(f'["{job.template_digest}",{job.body}]' for job in jobs)
    return f'{{"templates":{templates},"jobs":[{listed}]}}'.encode()


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
