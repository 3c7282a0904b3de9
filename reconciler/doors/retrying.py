"""Door to `tenacity`: repeating a call for some seconds, inside one step of work.

Enters: a call that raises `Transient` for what the next seconds may heal. Leaves: its result, or the last failure.
Must not: sleep over ten seconds, outlive a stop flag, retry anything but `Transient`; longer waits are persisted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

LONGEST_SLEEP: Final = 10.0
_FIRST_SLEEP: Final = 0.5

_Result = TypeVar("_Result")


class _Stopped(Exception):
    """The stop flag was set during a wait."""


def retry_transient(
    fn: Callable[[], _Result],
    *,
    attempts: int,
    deadline_seconds: float,
    wait: Callable[[float], bool],
    now: Callable[[], float],
) -> _Result:
    """Call `fn` until it does not raise Transient, at most `attempts` times.

    Sleeps 0.5, 1, 2, 4, 8, 10, 10 ... seconds, or longer if `retry_after` says so, by `wait(seconds)`, which returns
    True when the stop flag was set. `now` is a monotonic clock in seconds. The last Transient is raised when the
    attempts are used up, when the stop flag is set, when a sleep would end after `deadline_seconds`, and at once when
    `retry_after` is over ten seconds: such a wait belongs to whoever keeps next attempts.
    """
    from tenacity import RetryError, Retrying, retry_if_exception_type

    start = now()

    def sleep(seconds: float) -> None:
        if wait(seconds):
            raise _Stopped

    def stop(state: RetryCallState) -> bool:
        late = now() - start + state.upcoming_sleep > deadline_seconds
        return late or state.attempt_number >= attempts or state.upcoming_sleep > LONGEST_SLEEP

    retrying = Retrying(sleep=sleep, stop=stop, wait=_pause, retry=retry_if_exception_type(Transient))
    last: list[Transient] = []
    try:
        return retrying(_remembering(fn, last))
    except (_Stopped, RetryError):
        raise last[-1] from None


def _remembering(fn: Callable[[], _Result], last: list[Transient]) -> Callable[[], _Result]:
    """Keep the newest Transient, so that it can be raised as it was."""

    def call() -> _Result:
        try:
            return fn()
        except Transient as failure:
            last[:] = [failure]
            raise

    return call


def _pause(state: RetryCallState) -> float:
    """Give the next sleep in seconds: doubling up to ten, or the other side's own wish if that is longer."""
    backoff = min(_FIRST_SLEEP * 2.0 ** min(state.attempt_number - 1, 10), LONGEST_SLEEP)
    failure = state.outcome.exception() if state.outcome else None
    wish = failure.retry_after if isinstance(failure, Transient) else None
    return max(backoff, wish or 0.0)
