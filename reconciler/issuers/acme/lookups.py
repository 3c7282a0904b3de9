"""The system's resolver under a deadline: it knows none of its own, and may hold its caller for minutes."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Final

_LOCK: Final = threading.Lock()
_IN_FLIGHT: Final[dict[tuple[str, int], Future[tuple[str, ...]]]] = {}


def look_up(host: str, port: int, seconds: float) -> tuple[str, ...]:
    """Give the addresses of a host, in the resolver's order. Raises OSError, TimeoutError.

    A question that is not answered in time goes on in a thread of its own, the only one for this host: whoever asks
    meanwhile waits for the same answer.
    """
    key = host, port
    with _LOCK:
        answer = _IN_FLIGHT.get(key)
        if answer is None:
            answer = _IN_FLIGHT[key] = Future()
            threading.Thread(target=_ask, args=(key, answer), name="lookup", daemon=True).start()
    return answer.result(seconds)


def _ask(key: tuple[str, int], answer: Future[tuple[str, ...]]) -> None:
    found: tuple[str, ...] = ()
    failure: BaseException | None = None
    try:
        found = tuple(dict.fromkeys(str(one[4][0]) for one in socket.getaddrinfo(*key, type=socket.SOCK_STREAM)))
    except UnicodeError:
        failure = OSError("it is no name that can be looked up")
    except BaseException as error:  # noqa: BLE001  whoever waits must hear of it
        failure = error
    with _LOCK:
        _IN_FLIGHT.pop(key, None)
    if failure is None:
        answer.set_result(found)
    else:
        answer.set_exception(failure)
