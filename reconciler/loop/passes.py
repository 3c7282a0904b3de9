"""The loop itself: takes words, waits for times, makes one pass over all that is ready, and hands its plan on.

One thread runs it, and only that thread plans. `step` does what is due and says how long nothing more will be: the same
`step` is driven by threads and real time, or by a test with time of its own.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.errors import CertwrightError
from reconciler.loop.dealing import Deal, deal
from reconciler.loop.flights import EVERYTHING, Flight, Flights, names_of
from reconciler.loop.journal import Journal
from reconciler.loop.parts import Broke, Came, Word
from reconciler.loop.pulse import Pulse
from reconciler.loop.queue import Mailbox, Queue
from reconciler.loop.repeats import Repeats
from reconciler.loop.steady import SteadyTree
from reconciler.loop.tidying import Tidying
from reconciler.loop.timers import Timers
from reconciler.loop.watch import Hint
from reconciler.model.changes import Reason
from reconciler.model.ports import Scope
from reconciler.observe import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.engine import Report
    from reconciler.loop.parts import Parts
    from reconciler.model.changes import Change
    from reconciler.model.outcomes import Outcome

_FLIGHTS: Final = 32
_OF_REMOVAL: Final = frozenset({Reason.TOO_MANY_REMOVALS, Reason.INVALID_MANIFEST})
_FULL_EVERY: Final = timedelta(hours=24)


class Loop:
    """The state between passes: names, times and what was tried; never a meaning, never a certificate."""

    def __init__(self, parts: Parts) -> None:
        """Read nothing yet."""
        self._tree = SteadyTree(parts.engine.manifests)
        self._engine = replace(parts.engine, manifests=self._tree)
        self._parts, self._clock = parts, parts.clock
        self._queue, self._timers, self._flights, self._repeats = Queue(), Timers(), Flights(), Repeats()
        self._pulse = Pulse(parts.clock)
        self._restless: set[str] = set()
        self._cursor = 0
        self._moved = True
        self._guarded_removals = False
        self.mail: Mailbox[Word] = Mailbox()
        self.journal = Journal()
        self._tidying = Tidying(parts.tidy, parts.spawn, self.journal)

    # --- from outside ------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Read the tree for the first time and ask for a look at everything; give the number of sites.

        Raises ManifestError if nothing at all can be read.
        """
        self.journal.problems(self._tree.reread().problems)
        _, self._cursor = self._parts.feed.changes(0)
        self._reset()
        self._see_places()
        return len(self._tree.refresh())

    @property
    def at_a_server(self) -> bool:
        """Whether a target is being worked on."""
        return bool(self._flights.targets)

    def drain(self) -> Exception | None:
        """Take the last words, once `step` is called no more; give the bug that one of them told of, if any did."""
        words = self.mail.collect()
        for word in words:
            if isinstance(word, Came):
                self._hear(word)
        return next((word.error for word in words if isinstance(word, Broke)), None)

    def next_due(self) -> str:
        """Say when a site is due next, or the daily look at all of them, for people."""
        head = self._timers.next()
        if head is None:
            return "never"
        return f"{head[0]:%Y-%m-%dT%H:%M:%SZ} ({'all sites' if head[1] == EVERYTHING else head[1]})"

    def idle_until(self) -> float | None:
        """Give the seconds until the first timer; None if there is none. 0 if something is ready now."""
        head = self._timers.next()
        if self._queue.ready:
            return 0.0
        return None if head is None else max((head[0] - self._clock.now()).total_seconds(), 0.0)

    def step(self) -> float:
        """Do all that is due; give the seconds for which nothing more will be, unless a word comes."""
        self._look_at_clock()
        for word in self.mail.collect():
            self._hear(word)
        if self._pulse.take("feed"):
            self._guarded(self._read_feed)
        if self._pulse.take("tree") or self._pulse.take("scan"):
            self._guarded(self._scan)
        self._queue.add(self._timers.due(self._clock.now()))
        if self._may_pass():
            self._guarded(self._pass)
        return self._pause()

    # --- words ------------------------------------------------------------------------------------------------------

    def _hear(self, word: Word) -> None:
        match word:
            case Hint.LOST:
                self.journal.say("events were lost: everything is walked", level=logging.WARNING)
                self._pulse.soon("scan")
            case Hint.TREE:
                self._moved = True
                self._pulse.hint("tree")
            case Hint.WORLD:
                self._pulse.hint("scan")
            case Came():
                self._landed(word.flight, word.outcome)
            case Broke():
                raise word.error

    def _landed(self, flight: Flight, outcome: Outcome | None) -> None:
        if outcome is None:
            free, again = self._flights.end(flight)
        else:
            self.journal.outcome(outcome)
            self._repeats.note(outcome, self._clock.now())
            free, again = self._flights.came(flight, outcome)
            if outcome.again is not None and outcome.change.site:
                self._timers.sooner(outcome.change.site, outcome.again)
        for name in free:
            self._queue.end(name)
        self._queue.add(again)
        self._moved = True

    def _look_at_clock(self) -> None:
        """Compare the wall clock with the monotonic one: after a jump every stored time means something else."""
        jump = self._pulse.jumped()
        if jump is None:
            return
        self.journal.say(f"ClockJumped: by {jump:.0f} s; all times are looked at afresh", level=logging.WARNING)
        self._repeats.clear()
        self._reset()

    def _reset(self) -> None:
        due, _ = quiet.calm_until(self._engine.cache)
        known = self._tree.refresh()
        self._timers.replace({name: at for name, at in due.items() if name in known})
        self._queue.add((EVERYTHING,))

    # --- reading ----------------------------------------------------------------------------------------------------

    def _read_feed(self) -> None:
        names, self._cursor = self._parts.feed.changes(self._cursor)
        self._queue.add(names & self._tree.refresh().keys())

    def _scan(self) -> None:
        """Walk the tree and the files of quiet sites; what differs is looked at, restless sites at a slower pace."""
        with self._pulse.walking("scan") as walk:
            trouble, began = self._tree.trouble, self._clock.monotonic()
            found = self._tree.reread()
            if found.news:
                walk.once = self._clock.monotonic() - began
            self.journal.problems(found.problems)
            if self._tree.trouble and self._tree.trouble != trouble:
                self.journal.say(f"the manifests cannot be read: {self._tree.trouble}", level=logging.ERROR)
            quiet.forget(self._engine.cache, found.held)
            loud = self._engine.observer.loud(self._tree.refresh(), self._clock.now())
            self._queue.add((loud - self._restless) | found.changed | found.held)
            self._moved = self._moved or bool(found.changed)
            if found.gone:
                self._lost(found.gone)
            elif found.strange or (found.changed and self._guarded_removals):
                self._queue.add((EVERYTHING,))  # only a look at all tells of them; what was missing may be back
            if self._pulse.take("audit"):
                self._queue.add(loud)
        self._see_places()

    def _lost(self, names: frozenset[str]) -> None:
        for name in names:
            self._timers.set(name, None)
        self._restless -= names
        self._queue.add((EVERYTHING,))

    def _see_places(self) -> None:
        if self._moved:
            self._moved = False
            self._parts.watch(quiet.calm_until(self._engine.cache)[1])

    # --- the pass ---------------------------------------------------------------------------------------------------

    def _may_pass(self) -> bool:
        return self._queue.ready and self._flights.count < _FLIGHTS and self._pulse.due("pass")

    def _pass(self) -> None:
        """Look at all that is ready, make one plan over it, and hand on what may begin."""
        names = self._queue.take()
        try:
            with self._pulse.walking("pass"):
                report = self._engine.look(self._scope(names), self._parts.limits)
                self._engine.note(report)
        except CertwrightError:
            self._queue.add(names)
            raise
        self._pulse.well()
        self._remember(report)
        self.journal.holds(report, self._flights.targets)
        if EVERYTHING in names:
            self.journal.looked(report, self.next_due())
        now = self._clock.now()
        dealt = deal(report.plan, self._flights.targets, lambda change: self._repeats.until(change, now) is not None)
        self._put_off(report, dealt)
        if dealt.plan.changes:
            self._hand_on(report, dealt)

    def _scope(self, names: frozenset[str]) -> Scope:
        if EVERYTHING not in names:
            return Scope(names & self._tree.refresh().keys(), follows=self._parts.full)
        self._timers.sooner(EVERYTHING, self._clock.now() + _FULL_EVERY)
        self._tidying.once_a_day(self._clock.now())
        idle = frozenset(self._tree.refresh().keys() - busy) if (busy := self._queue.busy) else None
        return Scope(idle, full=self._parts.full, follows=self._parts.full)

    def _remember(self, report: Report) -> None:
        """Keep when each site is due; of a site that waits for what only a change ends, that it is restless."""
        self._restless.difference_update(report.declared.sites)
        held = {hold.site for hold in report.plan.holds if hold.site is not None}
        self._restless.update((held | report.plan.stopped) & report.declared.sites.keys())
        if report.scope.full:
            self._guarded_removals = any(hold.reason in _OF_REMOVAL and not hold.site for hold in report.plan.holds)
        for name in report.declared.sites:
            self._timers.set(name, report.plan.due.get(name))
        for hold in report.plan.holds:
            alone = hold.site not in report.declared.sites or hold.reason is Reason.HANDOVER_PENDING
            if hold.until is not None and alone:
                self._timers.sooner(EVERYTHING, hold.until)

    def _put_off(self, report: Report, dealt: Deal) -> None:
        self._flights.wait(report, dealt.taken)
        for change in dealt.tried:
            self._brake(report, change)
        if any(EVERYTHING in names_of(report, change) for change in dealt.behind):
            now = self._clock.now()  # to look at once would be to look again and again until then
            untils = (self._repeats.until(change, now) for change in (*dealt.tried, *dealt.taken))
            self._timers.sooner(EVERYTHING, min(filter(None, untils), default=now))
        if any(EVERYTHING in names_of(report, change) for change in dealt.later):
            self._queue.add((EVERYTHING,))

    def _brake(self, report: Report, change: Change) -> None:
        until = self._repeats.until(change, self._clock.now())
        if until is None:
            return
        names = names_of(report, change) or set(report.declared.sites)
        for name in names:
            self._timers.sooner(name, until)
        self._restless.update(names - {EVERYTHING})
        if self._repeats.is_fight(change):
            self.journal.fight(change, until)

    def _hand_on(self, report: Report, dealt: Deal) -> None:
        flight = self._flights.begin(report, dealt)
        self._queue.begin(frozenset(flight.sites))
        self._parts.spawn(lambda: self._execute(flight))

    def _execute(self, flight: Flight) -> None:
        """Do a plan, in a thread of its own; every outcome comes back as a word."""
        try:
            for outcome in self._parts.execute(flight.plan, flight.declared):
                self.mail.post(Came(flight, outcome))
        except Exception as error:  # noqa: BLE001  carried to the loop's thread, which ends the process with it
            self.mail.post(Broke(error))
        self.mail.post(Came(flight, None))

    # --- time -------------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do work; where the store or the machine fails us, say so once and try again ever more seldom."""
        try:
            work()
        except CertwrightError as error:
            if self._pulse.ill():
                self.journal.say(f"{type(error).__name__}: {error}; trying again", level=logging.ERROR)

    def _pause(self) -> float:
        head = self._timers.next()
        waits = [self._pulse.next(passing=self._queue.ready and self._flights.count < _FLIGHTS)]
        if head is not None:
            waits.append((head[0] - self._clock.now()).total_seconds())
        return max(min(waits), 0.0)
