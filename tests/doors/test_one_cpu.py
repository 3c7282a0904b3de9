"""Who shares one CPU, and who must not."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

import pytest

from reconciler.doors import one_cpu
from reconciler.doors.files import _acting
from reconciler.doors.processes import api as processes

if TYPE_CHECKING:
    from collections.abc import Iterator

CPUS = os.sched_getaffinity(0)
CPU = min(CPUS)


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """Another thread, which ends with the test."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def cpus_of(thread: ThreadPoolExecutor) -> set[int]:
    return thread.submit(os.sched_getaffinity, 0).result()


def test_here_is_a_cpu_that_we_may_use() -> None:
    found = one_cpu.here()
    assert found is None if len(CPUS) == 1 else found in CPUS


def test_thread_that_shares_leaves_others_where_they_were(other: ThreadPoolExecutor) -> None:
    other.submit(one_cpu.share, CPU).result()
    assert cpus_of(other) == {CPU}
    assert os.sched_getaffinity(0) == CPUS


def test_where_there_is_one_cpu_sharing_gains_nothing(other: ThreadPoolExecutor) -> None:
    other.submit(one_cpu.share, CPU).result()
    assert other.submit(one_cpu.here).result() is None


@pytest.mark.parametrize("cpu", [None, 4095], ids=["none", "not-there"])
def test_cpu_that_cannot_be_shared_is_left_alone(other: ThreadPoolExecutor, cpu: int | None) -> None:
    other.submit(one_cpu.share, cpu).result()
    assert cpus_of(other) == CPUS


def test_command_has_all_cpus_although_its_thread_shares_one(other: ThreadPoolExecutor) -> None:
    argv = ["/bin/grep", "Cpus_allowed:", "/proc/self/status"]
    alone = processes.run(argv)
    other.submit(one_cpu.share, CPU).result()
    assert other.submit(processes.run, argv).result().output == alone.output
    assert cpus_of(other) == {CPU}


def test_hands_of_tenants_have_all_cpus_although_who_needs_them_first_shares_one(other: ThreadPoolExecutor) -> None:
    other.submit(one_cpu.share, CPU).result()
    with _acting._hands(0) as hands:  # of no process: made anew
        assert other.submit(cpus_of, hands).result() == CPUS
    _acting._hands.cache_clear()


def test_where_cpus_may_not_be_asked_for_nothing_is_shared_and_commands_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(os, "sched_getaffinity", refused)
    monkeypatch.setattr(os, "sched_setaffinity", refused)
    assert one_cpu.here() is None
    one_cpu.share(CPU)
    assert processes.run(["/bin/true"]).ok
