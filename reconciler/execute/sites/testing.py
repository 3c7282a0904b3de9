"""Self-tests of one order, side by side and bounded: a resolver that hangs holds up nobody for longer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed
from reconciler.model.names import Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Challenges, Solver

    Find = Callable[[str], Sequence[str]]

SECONDS: Final = 10.0
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer that was presented here."""

    solver: Solver
    thing: Undo
    method: MethodSpec
    hostname: str
    token: str
    key_authorization: str

    @property
    def self_test(self) -> Switch:
        """Tell whether it is looked at before the CA looks; the ways by DNS watch what they write themselves."""
        return self.method.self_test if self.method.type in {"http-01", "tls-alpn-01"} else Switch.OFF


def run_tests(
    challenges: Challenges, shown: Sequence[Shown], seconds: float = SECONDS, find: Find | None = None
) -> list[Failed | None]:
    """Give each answer's failure, None where it can be seen. What is not known in time counts as failed."""
    late = Failed("SelfTestFailed", f"the self-test was not over within {seconds:g} s")
    results: list[Failed | None] = [Failed(late.reason, str(late)) for _ in shown]
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, Failed | None]] = SimpleQueue()
    for number in range(len(shown)):
        todo.put(number)
    for _ in range(min(_AT_ONCE, len(shown))):
        threading.Thread(target=_work, args=(challenges, shown, todo, done, find), daemon=True).start()
    end = time.monotonic() + seconds
    for _ in shown:
        try:
            number, failure = done.get(timeout=max(end - time.monotonic(), 0.001))
        except Empty:
            break
        results[number] = failure
    return results


def _work(
    challenges: Challenges,
    shown: Sequence[Shown],
    todo: SimpleQueue[int],
    done: SimpleQueue[tuple[int, Failed | None]],
    find: Find | None,
) -> None:
    while True:
        try:
            number = todo.get_nowait()
        except Empty:
            return
        one = shown[number]
        try:
            challenges.self_test(one.method, one.hostname, one.token, one.key_authorization, find)
        except Failed as failure:
            done.put((number, failure))
        except Exception as bug:  # noqa: BLE001  a thread of its own: a bug is that answer's failure
            done.put((number, Failed("SelfTestFailed", f"the self-test broke: {type(bug).__name__}")))
        else:
            done.put((number, None))
