"""Follow one child's pipes and its end, by descriptors only."""

from __future__ import annotations

import os
import selectors
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

Ending = Literal["exit", "deadline", "flood", "stop"]
OUTPUT_LIMIT: Final = 64 * 1024
"""Bytes of output that are kept."""
FLOOD_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of output after which a command is stopped: a configuration test may warn once for each of 10,000 sites."""
_LINGER: Final = 0.2
_ASK_STOP: Final = 0.1
_BLOCK: Final = 1 << 16


class Watch:
    """One child's pipes and its end, followed until the first of: exit and quiet, deadline, flood, stop."""

    def __init__(
        self, child: subprocess.Popen[bytes], stdin: bytes, deadline: float, stop: Callable[[], bool] | None
    ) -> None:
        self.output = bytearray()
        self._child, self._left, self._deadline, self._stop = child, memoryview(stdin), deadline, stop
        self._total = 0
        self._exited = False
        self._selector = selectors.DefaultSelector()
        # A descriptor that becomes readable at the end of the child: no signal handler, no polling, no reaping.
        self._pid = os.pidfd_open(child.pid)
        self._selector.register(self._pid, selectors.EVENT_READ, self._on_exit)
        self._add(child.stdout, selectors.EVENT_READ, self._on_output)
        self._add(child.stdin, selectors.EVENT_WRITE, self._on_writable)

    def follow(self) -> Ending:
        while not (self._exited and self._child.stdout is not None and self._child.stdout.closed):
            left = self._deadline - time.monotonic()
            if left <= 0:
                return "exit" if self._exited else "deadline"
            if self._stop is not None and not self._exited and self._stop():
                return "stop"
            for key, _ in self._selector.select(left if self._stop is None else min(left, _ASK_STOP)):
                key.data()
            if self._total > FLOOD_LIMIT:
                return "exit" if self._exited else "flood"
        return "exit"

    def close(self) -> None:
        self._selector.close()
        os.close(self._pid)
        for pipe in (self._child.stdin, self._child.stdout):
            _close(pipe)

    def _add(self, pipe: IO[bytes] | None, event: int, action: Callable[[], None]) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event, action)

    def _drop(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        _close(pipe)

    def _on_exit(self) -> None:
        """Stay a moment for the last words: a daemon that inherited the pipe may hold it for ever."""
        self._exited = True
        self._selector.unregister(self._pid)
        self._deadline = time.monotonic() + _LINGER

    def _on_output(self) -> None:
        pipe = self._child.stdout
        assert pipe is not None  # noqa: S101  we asked for it
        with suppress(BlockingIOError):
            block = os.read(pipe.fileno(), _BLOCK)
            self._total += len(block)
            self.output += block[: OUTPUT_LIMIT - len(self.output)]
            if not block:
                self._drop(pipe)

    def _on_writable(self) -> None:
        pipe = self._child.stdin
        assert pipe is not None  # noqa: S101  registered only if it is there
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[:_BLOCK]) :]
        except BlockingIOError:
            return
        except OSError:  # it does not read its input: its exit status tells
            self._left = self._left[:0]
        if not self._left:
            self._drop(pipe)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with suppress(OSError):
            pipe.close()
