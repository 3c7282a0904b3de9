"""Both halves of a long look say what one look would, whatever becomes of the child."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors import halves

if TYPE_CHECKING:
    from collections.abc import Sequence

MANY = 5000


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors and one thread, wherever the tests run."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The children that are forked."""
    found: list[int] = []
    fork = os.fork

    def noted() -> int:
        child = fork()
        found.append(child)
        return child

    monkeypatch.setattr(os, "fork", noted)
    return found


def descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def is_gone(child: int) -> bool:
    try:
        os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def odd(some: Sequence[int]) -> bytes:
    return bytes(number & 1 for number in some)


def by_whom(some: Sequence[int]) -> bytes:
    mine = os.getpid() == int(os.environ["PARENT"])
    return bytes([mine] * len(some))


@given(st.lists(st.integers(0, 1 << 40), max_size=20), st.integers(0, 3000))
def test_the_answer_is_that_of_one_look(some: list[int], more: int) -> None:
    numbers = some + list(range(more)) * 2

    assert halves.judged(numbers, odd) == odd(numbers)


def test_a_child_judges_the_second_half_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARENT", str(os.getpid()))

    assert halves.judged(range(MANY), by_whom) == b"\1" * (MANY // 2) + b"\0" * (MANY - MANY // 2)
    assert halves.judged(range(100), by_whom) == b"\1" * 100


def test_no_child_beside_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARENT", str(os.getpid()))
    monkeypatch.setattr(threading, "active_count", lambda: 2)

    assert halves.judged(range(MANY), by_whom) == b"\1" * MANY


def test_no_child_where_nobody_may_ask_for_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_pid: int) -> NoReturn:
        raise PermissionError

    monkeypatch.setenv("PARENT", str(os.getpid()))
    monkeypatch.setattr(os, "sched_getaffinity", refused)

    assert halves.judged(range(MANY), by_whom) == b"\1" * MANY


@pytest.mark.parametrize("end", ["killed", "raised", "short"])
def test_what_a_child_does_not_tell_is_judged_here(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setenv("PARENT", str(os.getpid()))

    def judge(some: Sequence[int]) -> bytes:
        if os.getpid() == int(os.environ["PARENT"]):
            return odd(some)
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "raised":
            raise RuntimeError
        return b"\1"

    assert halves.judged(range(MANY), judge) == odd(range(MANY))


def test_nothing_is_left_open_and_no_child_waits(children: list[int]) -> None:
    before = descriptors()
    halves.judged(range(MANY), odd)

    assert descriptors() == before
    assert len(children) == 1
    assert is_gone(children[0])


def test_a_failure_here_leaves_no_child_behind(children: list[int]) -> None:
    parent = os.getpid()

    def judge(some: Sequence[int]) -> bytes:
        if os.getpid() == parent:
            raise ZeroDivisionError
        return odd(some)

    with pytest.raises(ZeroDivisionError):
        halves.judged(range(MANY), judge)
    assert len(children) == 1
    assert is_gone(children[0])


def test_without_a_fork_all_is_judged_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    before = descriptors()

    assert halves.judged(range(MANY), odd) == odd(range(MANY))
    assert descriptors() == before
