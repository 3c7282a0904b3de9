"""Who shares one CPU, and who must not."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from reconciler.doors.files import _acting
from reconciler.doors.one_cpu import OneCpu
from reconciler.doors.processes import api as processes

if TYPE_CHECKING:
    from collections.abc import Iterator

CPUS = os.sched_getaffinity(0)
SHARED = OneCpu().shared  # with one CPU, or filtered system calls, nobody shares


class Crew:
    """Three threads, and a clock that stands until it is set."""

    def __init__(self, threads: list[ThreadPoolExecutor]) -> None:
        self.threads, self.now = threads, 0.0
        self.cpu = OneCpu(lambda: self.now)

    def join(self, number: int) -> set[int]:
        """Let a thread join; give where it may run then."""
        self.threads[number].submit(self.cpu.join).result()
        return cpus_of(self.threads[number])


@pytest.fixture
def crew() -> Iterator[Crew]:
    with ExitStack() as stack:
        yield Crew([stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3)])


def cpus_of(thread: ThreadPoolExecutor) -> set[int]:
    return thread.submit(os.sched_getaffinity, 0).result()


def test_threads_share_one_cpu_and_leave_others_where_they_were(crew: Crew) -> None:
    first = crew.join(0)
    assert first <= CPUS
    assert len(first) == 1 or not SHARED
    assert [crew.join(number) for number in (1, 2, 0)] == [first] * 3
    assert os.sched_getaffinity(0) == CPUS


def test_from_time_to_time_one_goes_ahead_and_the_others_follow(crew: Crew) -> None:
    crew.join(0), crew.join(1), crew.join(2)
    crew.now = 3.0
    assert crew.join(1) == CPUS
    assert len(crew.join(0)) == 1 or not SHARED
    chosen = crew.join(1)
    assert len(chosen) == 1 or not SHARED
    assert [crew.join(0), crew.join(2)] == [chosen] * 2


@pytest.mark.parametrize("cpu", sorted(CPUS))
def test_the_others_follow_to_where_the_kernel_put_the_one(crew: Crew, cpu: int) -> None:
    def put_there() -> None:
        os.sched_setaffinity(0, {cpu})

    crew.join(0), crew.join(1)
    crew.now = 3.0
    crew.join(0)
    crew.threads[0].submit(put_there).result()
    assert [crew.join(0), crew.join(1), crew.join(2)] == [{cpu} if SHARED else CPUS] * 3


def test_where_there_is_one_cpu_nothing_is_shared(crew: Crew) -> None:
    def alone() -> set[int]:
        os.sched_setaffinity(0, {min(CPUS)})
        OneCpu().join()
        return os.sched_getaffinity(0)

    assert crew.threads[0].submit(alone).result() == {min(CPUS)}


def test_command_has_all_cpus_although_its_thread_shares_one(crew: Crew) -> None:
    argv = ["/bin/grep", "Cpus_allowed:", "/proc/self/status"]
    shared = crew.join(0)
    assert crew.threads[0].submit(processes.run, argv).result().output == processes.run(argv).output
    assert cpus_of(crew.threads[0]) == shared


def test_hands_of_tenants_have_all_cpus_although_who_needs_them_first_shares_one(crew: Crew) -> None:
    crew.join(0)
    with _acting._hands(0) as hands:  # of no process: made anew
        assert crew.threads[0].submit(cpus_of, hands).result() == CPUS
    _acting._hands.cache_clear()


def test_where_cpus_may_not_be_asked_for_nothing_is_shared_and_commands_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(os, "sched_getaffinity", refused)
    monkeypatch.setattr(os, "sched_setaffinity", refused)
    OneCpu().join()
    assert processes.run(["/bin/true"]).ok


# a child forbids itself system calls by a program for seccomp(2), argv 2
FORBIDDEN = """
import ctypes, sys
sys.path[:0] = sys.argv[1:2]
from reconciler.doors.files import _acting
from reconciler.doors.one_cpu import OneCpu
from reconciler.doors.processes import api as processes
code = ctypes.create_string_buffer(bytes.fromhex(sys.argv[2]))
class Filter(ctypes.Structure):
    _fields_ = [("size", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(code) // 8, ctypes.addressof(code))), 0, 0) == 0
OneCpu().join()
_acting._take_every_cpu()
print(processes.run(["/bin/true"]).ok)
"""
LOAD, EQUAL, RETURN, ALLOW = 0x20, 0x15, 0x06, 0x7FFF0000
KILL, REFUSE = 0x80000000, 0x00050001
SET, GET = (203, 204) if os.uname().machine == "x86_64" else (122, 123)


@pytest.mark.parametrize(("calls", "action"), [((SET,), KILL), ((SET, GET), REFUSE)], ids=["killed", "refused"])
def test_where_system_calls_are_filtered_all_goes_on(calls: tuple[int, ...], action: int) -> None:
    lines = [(LOAD, 0, 0, 0)]
    for call in calls:
        lines += [(EQUAL, 0, 1, call), (RETURN, 0, 0, action)]
    code = b"".join(struct.pack("=HBBI", *line) for line in (*lines, (RETURN, 0, 0, ALLOW)))
    argv = [sys.executable, "-c", FORBIDDEN, str(Path(__file__).parents[2]), code.hex()]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
