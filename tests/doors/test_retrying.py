from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors.retrying import LONGEST_SLEEP, retry_transient
from reconciler.errors import Failed, Transient


@dataclass
class World:
    """A clock that moves only by sleeping, and a call that fails as told."""

    failures: list[Exception]
    time: float = 0.0
    sleeps: list[float] = field(default_factory=list)
    calls: int = 0
    stop_after: int = 1000

    def call(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def wait(self, seconds: float) -> bool:
        self.sleeps.append(seconds)
        self.time += seconds
        return len(self.sleeps) >= self.stop_after

    def run(self, attempts: int = 5, deadline: float = 60.0) -> str:
        return retry_transient(
            self.call, attempts=attempts, deadline_seconds=deadline, wait=self.wait, now=lambda: self.time
        )


def transients(count: int, retry_after: float | None = None) -> list[Exception]:
    return [Transient(f"failure {number}", retry_after) for number in range(1, count + 1)]


def test_a_call_that_works_is_made_once() -> None:
    world = World([])
    assert (world.run(), world.calls, world.sleeps) == ("done", 1, [])


def test_pauses_double_up_to_ten_seconds() -> None:
    world = World(transients(7))
    assert world.run(attempts=8) == "done"
    assert world.sleeps == [0.5, 1, 2, 4, 8, 10, 10]


def test_the_last_failure_comes_out_as_it_was_when_attempts_are_used_up() -> None:
    world = World(transients(9))
    with pytest.raises(Transient, match="failure 3") as caught:
        world.run(attempts=3)
    assert (world.calls, len(world.sleeps)) == (3, 2)
    assert caught.value.__cause__ is None


def test_what_is_not_transient_is_not_repeated() -> None:
    world = World([Failed("Expired", "no"), *transients(3)])
    with pytest.raises(Failed):
        world.run()
    assert world.calls == 1


def test_the_other_sides_wish_is_kept_when_it_is_longer() -> None:
    world = World([*transients(1, 7.0), *transients(1, 0.1)])
    assert world.run() == "done"
    assert world.sleeps == [7.0, 1.0]


def test_a_wish_over_ten_seconds_is_left_to_the_caller() -> None:
    world = World(transients(3, 120.0))
    with pytest.raises(Transient) as caught:
        world.run()
    assert (world.calls, world.sleeps, caught.value.retry_after) == (1, [], 120.0)


def test_no_sleep_goes_beyond_the_deadline() -> None:
    world = World(transients(50))
    with pytest.raises(Transient):
        world.run(attempts=50, deadline=5.0)
    assert world.sleeps == [0.5, 1, 2]


def test_a_stop_flag_ends_it_with_the_last_failure() -> None:
    world = World(transients(9), stop_after=2)
    with pytest.raises(Transient, match="failure 2"):
        world.run()
    assert world.calls == 2


@given(st.lists(st.one_of(st.none(), st.floats(0, 1000)), max_size=20), st.integers(1, 12), st.floats(0.1, 100))
def test_it_always_ends_within_its_bounds(wishes: list[float | None], attempts: int, deadline: float) -> None:
    world = World([Transient("no", wish) for wish in wishes])
    with suppress(Transient):
        world.run(attempts, deadline)
    assert world.calls <= attempts
    assert world.time <= deadline
    assert all(0 < seconds <= LONGEST_SLEEP for seconds in world.sleeps)
