"""`run` as a process: the main thread has the signals and the stop flag, a second one the loop, each plan its own.

A stop is a crash that was announced: every write is safe against one, so nothing is waited for longer than polite.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.loop.journal import counted
from reconciler.loop.parts import Parts
from reconciler.loop.passes import Loop
from reconciler.loop.watch import Hint, Watcher, directories, gathered, half_of_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from reconciler.engine import Engine
    from reconciler.loop.parts import Feed
    from reconciler.model.ports import Clock, Execute, Lease

_POLITE: Final = 3.0
# a command at a server is ended after 30 seconds, and its batch then put back
_UNDER_WAY: Final = 35.0
_LOOK: Final = 0.1
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_CRASHED: Final = 3


class Leases(Protocol):
    """The store's locks."""

    def claim(self, scope: str, verb: str, wait: float) -> AbstractContextManager[Lease]:
        """Take the lease within `wait` seconds or raise HeldBy."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """What `run` is started with. `roots` are the manifest trees, `state` the store's directory.

    `begin`, called once the lease is held, tells whether the state follows this tree, so that what it does not declare
    is removed. `tidy` clears out the archive, daily. `watching` False leaves everything to the walks. `leave` ends the
    process at once, `os._exit`.
    """

    engine: Engine
    execute: Execute
    feed: Feed
    leases: Leases
    clock: Clock
    stop: Callable[[], None]
    roots: tuple[str, ...]
    state: str
    begin: Callable[[], bool] = lambda: True
    tidy: Callable[[datetime], None] = lambda _now: None
    watching: bool = True
    leave: Callable[[int], None] = os._exit


def run(given: Running) -> int:
    """Converge for ever; 0 when stopped by a signal. Call it in the main thread.

    Raises HeldBy at once if another `run` is at work on this store, ManifestError if nothing at all can be read.
    """
    with given.leases.claim("run", "run", 0.0), _Bell().listening() as bell:
        runner = _Runner(given, bell)
        code = runner.run()
        if runner.left:  # a thread that would not end: the kernel gives back what it holds
            given.leave(code)
        return code


@dataclass(slots=True)
class _Runner:
    """The threads of one `run`."""

    given: Running
    bell: _Bell
    left: bool = False
    _crash: BaseException | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _watcher: Watcher | None = None
    _unwatched: int = 0

    def run(self) -> int:
        given = self.given
        parts = Parts(
            engine=given.engine,
            execute=given.execute,
            feed=given.feed,
            clock=given.clock,
            spawn=self._spawn,
            full=given.begin(),
            watch=self._watch,
            tidy=given.tidy,
        )
        loop = Loop(parts)
        self._watcher = self._watching(loop)
        try:
            count = loop.start()
            self._greet(loop, count)
            return self._until_stopped(loop)
        finally:
            if self._watcher is not None:
                self._watcher.close()

    def _watching(self, loop: Loop) -> Watcher | None:
        if not self.given.watching:
            return None
        try:
            return Watcher(loop.mail.post, half_of_limit())
        except OSError as error:
            loop.journal.say(f"no watches: {error.strerror}; edits are found by walking", level=logging.WARNING)
            return None

    def _watch(self, places: Collection[str]) -> None:
        if self._watcher is not None:
            self._unwatched = self._watcher.watch(directories(self.given.roots), gathered(places, self.given.state))

    def _greet(self, loop: Loop, count: int) -> None:
        watched = self._watcher.count if self._watcher is not None else 0
        rest = f", {self._unwatched} only walked" if self._unwatched else ""
        loop.journal.say(
            f"run started: {counted(count, 'site')} of {', '.join(self.given.roots)}, state {self.given.state}, "
            f"{watched} directories watched{rest}, next due {loop.next_due()}"
        )

    def _spawn(self, work: Callable[[], None]) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name="certwright-plan", daemon=True)
        self._threads.append(thread)
        thread.start()

    # --- until the end ------------------------------------------------------------------------------------------

    def _until_stopped(self, loop: Loop) -> int:
        worker = threading.Thread(target=self._work, args=(loop,), name="certwright-loop", daemon=True)
        worker.start()
        self.bell.wait()
        self.given.stop()
        loop.mail.post(Hint.WORLD)  # wakes it
        self._wait(worker, loop)
        if self._crash is not None:
            loop.journal.bug("the watch loop ended by a bug of certwright", self._crash)
            self.left = True
            return _CRASHED
        loop.journal.say("run stopped" + ("; what is under way is resumed by the next start" if self.left else ""))
        return 0

    def _work(self, loop: Loop) -> None:
        try:
            while not self.given.clock.stopping():
                loop.mail.wait(loop.step())
        except Exception as error:  # noqa: BLE001  told by the main thread: a silent zombie would be worse
            self._crash = error
            self.bell.ring()

    def _wait(self, worker: threading.Thread, loop: Loop) -> None:
        """Wait for what is under way: politely, and for a server's test or reload longer."""
        now = self.given.clock.monotonic
        polite, patient = now() + _POLITE, now() + _UNDER_WAY
        threads = [worker, *self._threads]
        while any(thread.is_alive() for thread in threads):
            if not worker.is_alive():
                self._crash = self._crash or loop.drain()
            if now() >= (patient if loop.at_a_server else polite):
                self.left = True
                return
            next((thread for thread in threads if thread.is_alive()), worker).join(_LOOK)
        self._crash = self._crash or loop.drain()


class _Bell:
    """Wakes the main thread: rung by a signal, whichever thread the kernel gave it to, or by the end of the loop.

    A pipe and not an Event: a handler that takes a lock may wait for the very thread that it interrupted.
    """

    def __init__(self) -> None:
        self._ear, self._hand = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._hand, b"\0")

    def wait(self) -> None:
        select.select([self._ear], [], [])

    @contextmanager
    def listening(self) -> Iterator[_Bell]:
        """Ring for SIGTERM and SIGINT, within the block; then close."""
        former = {number: signal.signal(number, lambda _number, _frame: None) for number in _SIGNALS}
        descriptor = signal.set_wakeup_fd(self._hand, warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(self._ear)
            os.close(self._hand)
