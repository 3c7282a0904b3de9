"""Publishes the machine's addresses for a site's names, and takes away what was published: by what was written down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.doors.addresses import global_addresses
from reconciler.errors import Failed
from reconciler.execute.sites.undoing import undo
from reconciler.model.addresses import publishes_own, wanted_addresses
from reconciler.model.changes import Reason
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.execute.rules import Rules
    from reconciler.model.changes import Change
    from reconciler.model.desired import AddressRecords, DesiredSite, MethodSpec
    from reconciler.model.observed import Memory, Undo
    from reconciler.model.ports import AddressBook, Challenges, Clock, Store

FAILURES: Final = "publish"
OURS: Final = "ours"
THEIRS: Final = "theirs"
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Publishing:
    """Works under the site's lease. A failure is remembered, and backs off, as `publish`."""

    store: Store
    challenges: Challenges
    clock: Clock
    rules: Rules
    say: Callable[[str, str], None]

    def publish(self, change: Change, site: DesiredSite) -> Outcome:
        """Add what is missing; each record is written down before it is added. Raises Failed."""
        try:
            added = self._added(site, site.address_records) if site.address_records is not None else []
        except Failed as failure:
            self._remember(site, failure)
            raise
        self._remember(site, None)
        text = ", ".join(f"{thing.name} {thing.value}" for thing in added[:5])
        self.store.event(site.name, change.reason, clean(f"published {text}"), self.clock.now())
        return Outcome(change, Status.DONE)

    def refresh(self, change: Change, site: DesiredSite) -> Outcome:
        """Look whether what should stand still does; what is gone counts as not published from now on.

        What cannot be asked now is told, and asked again with the others.
        """
        if site.address_records is None:
            return Outcome(change, Status.DONE)
        book, wanted = self.challenges.addresses(site.address_records.method), set(wanted_addresses(site, _own(site)))
        things = [one for one in self._written() if one.site == site.name and one.identity is not None]
        things = [one for one in things if (one.name, one.value) in wanted]
        with ThreadPoolExecutor(min(_AT_ONCE, max(len(things), 1)), "dns") as pool:
            seen = list(pool.map(lambda one: _stands(book, one), things))
        now = self.clock.now()
        for thing, stands in zip(things, seen, strict=True):
            gone = stands is False
            self.store.put_undo(replace(thing, identity=None if gone else thing.identity, looked=now))
            if isinstance(stands, Failed):
                self.store.event(site.name, stands.reason, clean(f"not looked for: {stands}"), now)
            elif gone:
                text = f"{thing.name} {thing.value} is gone from the zone; somebody else took it away"
                self.store.event(site.name, Reason.NOT_PUBLISHED, clean(text), now)
        return Outcome(change, Status.DONE)

    def withdraw(self, change: Change, site: DesiredSite | None) -> Outcome:
        """Delete what was published and is no longer wanted. Raises Failed."""
        wanted = set(wanted_addresses(site, _own(site))) if site is not None else set()
        records = site.address_records if site is not None else None
        ways = (records.method,) if records is not None else ()
        things = self._written()
        for thing in things:
            if thing.site != change.site or (thing.name, thing.value) in wanted:
                continue
            problem = self._forget(thing, things, ways)
            if problem is not None:
                failure = Failed("LeftBehind", f"{thing.name} {thing.value} cannot be taken away: {problem}")
                if site is not None:
                    self._remember(site, failure)
                raise failure
        if site is not None:
            self._remember(site, None)
        return Outcome(change, Status.DONE)

    def _added(self, site: DesiredSite, records: AddressRecords) -> list[Undo]:
        book = self.challenges.addresses(records.method)
        written = self._written()
        mine = {(one.name, one.value): one for one in written if one.site == site.name}
        others = {(one.name, one.value) for one in written if one.site != site.name and one.identity == OURS}
        added = []
        for pair in wanted_addresses(site, _own(site)):
            known = mine.get(pair)
            if known is not None and known.identity is not None:
                continue
            thing = book.prepare(site.name, *pair)
            if thing.identity == THEIRS and (known is not None or pair in others):
                thing = replace(
                    thing, identity=None
                )  # what stands there is what we wrote, before a crash or for another
            self.store.put_undo(replace(thing, looked=self.clock.now()))
            if thing.identity is None:
                book.publish(thing, records.ttl)
                added.append(thing)
        book.settle(added, lambda text: self.say(site.name, text))
        for thing in added:
            self.store.put_undo(replace(thing, identity=OURS, looked=self.clock.now()))
        return added

    def _forget(self, thing: Undo, all_: tuple[Undo, ...], ways: Sequence[MethodSpec]) -> str | None:
        """Take a record away, unless another site wants it too: then it is that site's from now on."""
        if any(one.id != thing.id and (one.name, one.value) == (thing.name, thing.value) for one in all_):
            self.store.undone(thing)
            return None
        return undo(self.store, self.challenges, thing, ways)

    def _written(self) -> tuple[Undo, ...]:
        return tuple(thing for thing in self.store.undo() if thing.kind == "address")

    def _remember(self, site: DesiredSite, failure: Failed | None) -> None:
        now = self.clock.now()

        def update(memory: Memory) -> Memory:
            failures = {name: value for name, value in memory.failures.items() if name != FAILURES}
            if failure is None:
                return replace(memory, failures=failures)
            failures[FAILURES] = self.rules.after_failure(memory.failures.get(FAILURES), failure, now, site.digest)
            return replace(memory, failures=failures, handled_retry_at=site.annotations.get("certwright/retryAt"))

        self.store.remember(site.name, update)
        if failure is not None:
            self.store.event(site.name, failure.reason, clean(str(failure)), now)


def _stands(book: AddressBook, thing: Undo) -> bool | Failed:
    try:
        return book.stands(thing)
    except Failed as failure:
        return failure


def _own(site: DesiredSite) -> tuple[str, ...]:
    return global_addresses() if publishes_own(site) else ()
