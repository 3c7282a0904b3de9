"""Two processors for one long look: the second half of a list is judged by a forked child where that is safe.

Enters a list and a function that judges part of it, a byte an item; leaves these bytes for all. What the function does
beside looking is lost in the child. Nothing may depend on the child: whatever goes wrong, all is judged here.
"""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_LEAST: Final = 4000  # items below which a fork costs more than it saves
_BLOCK: Final = 1 << 16


def judged(items: Sequence[T], judge: Callable[[Sequence[T]], bytes]) -> bytes:
    """Give what `judge` says of all items, one byte each; it opens nothing and only looks.

    Only where no other thread runs: a child of one of several threads may wait for ever for a lock that nobody holds.
    """
    if len(items) < _LEAST or threading.active_count() > 1 or _processors() < 2:  # noqa: PLR2004  two halves
        return judge(items)
    middle = len(items) // 2
    try:
        child, pipe = _forked(items[middle:], judge)
    except OSError:
        return judge(items)
    try:
        first = judge(items[:middle])
        second = _all(pipe)
    finally:
        os.close(pipe)
        os.waitpid(child, 0)
    return first + (second if len(second) == len(items) - middle else judge(items[middle:]))


def _processors() -> int:
    """Give how many we may use; one where a filter of system calls keeps that from us."""
    try:
        return len(os.sched_getaffinity(0))
    except OSError:
        return 1


def _forked(items: Sequence[T], judge: Callable[[Sequence[T]], bytes]) -> tuple[int, int]:
    ours, theirs = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        raise
    if child:
        os.close(theirs)
        return child, ours
    try:  # whatever happens here: nothing is flushed, closed or told twice
        gc.disable()
        rest = memoryview(judge(items))
        while rest:
            rest = rest[os.write(theirs, rest) :]
    finally:
        os._exit(0)


def _all(pipe: int) -> bytes:
    found = bytearray()
    while block := os.read(pipe, _BLOCK):
        found += block
    return bytes(found)
