from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed, Transient
from reconciler.issuers.acme.nonces import Nonces, nonce_in
from reconciler.issuers.acme.transport import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _hasty() -> Iterator[None]:
    """Let threads take turns all the time; those that run already, as to start one so is the interpreter's weakness."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(former)


def test_the_last_in_is_the_first_out_and_none_is_fetched_meanwhile() -> None:
    nonces = Nonces(lambda: "fetched", lambda: 0.0)
    nonces.put("a")
    nonces.put("b")
    nonces.put(None)

    assert [nonces.take(), nonces.take(), nonces.take()] == ["b", "a", "fetched"]


def test_old_ones_are_thrown_away() -> None:
    now = [0.0]
    nonces = Nonces(lambda: "fetched", lambda: now[0])
    nonces.put("old")
    now[0] = 601

    assert nonces.take() == "fetched"


def test_no_nonce_is_given_twice() -> None:
    count = iter(range(1_000_000))
    lock = threading.Lock()

    def fetch() -> str:
        with lock:
            return f"f{next(count)}"

    nonces = Nonces(fetch, time.monotonic)
    taken: list[str] = []

    started = threading.Barrier(9, timeout=10)

    def work(worker: int) -> None:
        started.wait()
        started.wait()
        for number in range(300):
            taken.append(nonces.take())
            nonces.put(f"w{worker}.{number}")

    with ThreadPoolExecutor(8) as pool:
        working = pool.map(work, range(8))
        started.wait()
        with _hasty():
            started.wait()
            list(working)

    assert len(taken) == len(set(taken)) == 2400


def test_sixty_four_cold_threads_are_no_storm() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def fetch() -> str:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1
        return "fetched"

    nonces = Nonces(fetch, time.monotonic)
    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(lambda _: nonces.take(), range(64))) == ["fetched"] * 64

    assert most[0] <= 2


def test_a_fetch_that_fails_lets_the_next_one_try() -> None:
    calls: list[int] = []

    def fetch() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise Transient("no")
        return "good"

    nonces = Nonces(fetch, time.monotonic)
    with pytest.raises(Transient):
        nonces.take()

    assert nonces.take() == "good"


@pytest.mark.parametrize("value", ["a b", "é", "", "x" * 600, "a\r\nb"])
def test_a_nonce_is_base64url(value: str) -> None:
    with pytest.raises(Failed):
        nonce_in(Answer(200, {"replay-nonce": (value,)}, b"", "https://ca.test/"))
