"""The desk at which an issuer works for one site: everything it remembers is on disk before the call returns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, NamesFailed, Waiting
from reconciler.execute.probes.names import Names
from reconciler.execute.sites.testing import Shown, run_tests
from reconciler.execute.sites.undoing import NEVER_DONE, undo
from reconciler.model.changes import Reason
from reconciler.model.names import Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import OrderRecord, Undo
    from reconciler.model.ports import Asked, Challenges, Clock, Lease, Solver, Store
    from reconciler.model.text import Secret

# what needs time to be seen, or leaves more behind than itself
_LASTING: Final = frozenset({"webroot", "txt"})


@dataclass(frozen=True, slots=True)
class Making:
    """How keys come about: `make` gives a new one (or the live one where it is reused), `fits` judges a pending one."""

    make: Callable[[], Secret]
    fits: Callable[[Secret], bool]


class SiteDesk:
    """A Desk under the site's lease."""

    def __init__(  # noqa: PLR0913, PLR0917  what it works with
        self,
        store: Store,
        lease: Lease,
        site: str,
        challenges: Challenges,
        making: Making,
        clock: Clock,
        say: Callable[[str], None],
        *,
        public: bool = False,
        resolvers: Sequence[str] = (),
    ) -> None:
        """`public` tells that the issuer's trust is: then a self-test by http-01 that only warns is worth its while.

        `resolvers`, `ADDRESS:PORT`, tell it where names lead that this machine's own does not know.
        """
        self._store, self._lease, self._site = store, lease, site
        self._challenges, self._making, self._clock, self._say = challenges, making, clock, say
        self._public, self._resolvers = public, resolvers
        self._presented: list[Shown] = []
        self._left: list[Undo] | None = None
        self._withdrawn: list[Undo] = []
        self._told: list[str] = []
        self._key: Secret | None = None

    def order(self) -> OrderRecord | None:
        """Give the order that an earlier attempt left."""
        return self._store.orders([self._site]).get(self._site)

    def save(self, order: OrderRecord) -> None:
        """Keep the order."""
        self._store.put_order(self._lease, self._site, order)

    def forget(self, *, keep_key: bool) -> None:
        """Drop the order."""
        self._store.drop_order(self._lease, self._site, keep_key=keep_key)
        self._key = self._key if keep_key else None

    def key(self) -> Secret:
        """Give the pending key; one of another type than is wanted now is made anew."""
        self._key = self._key or self._store.pending_key(self._lease, self._site, self._making.make, self._making.fits)
        return self._key

    def present(self, method: MethodSpec, hostname: str, token: str, asked: Asked) -> None:
        """Publish an answer; the undo record is on disk first, and goes where nobody was asked to publish it."""
        solver = self._challenges.solver(method)
        thing = self._as_left(solver.prepare(self._site, hostname, token, asked))
        before = next((one for one in self._left or () if one.id == thing.id), None)
        self._store.put_undo(thing)
        try:
            done = solver.present(thing, asked.key_authorization)
        except Failed as failure:
            if failure.reason in NEVER_DONE and before is None:
                self._store.undone(thing)
            raise
        if done != thing:
            self._store.put_undo(done)
        self._presented.append(Shown(solver, done, method, hostname, token, asked.key_authorization))

    def _as_left(self, thing: Undo) -> Undo:
        """Keep what an attempt before has noted: when it put the same there, and which directories it has made.

        The directories seem to be others' now. Also of another token: who is first to be taken away cannot remove what
        the last one still stands in.
        """
        if thing.kind not in _LASTING:
            return thing
        if self._left is None:
            self._left = [one for one in self._store.undo() if one.site == self._site]
        made = [path for one in self._left if one.place == thing.place for path in one.made]
        since = next((one.presented for one in self._left if one.id == thing.id), None) or self._clock.now()
        return replace(thing, made=tuple(dict.fromkeys((*thing.made, *made))), presented=since)

    def settle(self) -> None:
        """Wait until the CA can see what was presented: once for each way, all of them side by side.

        What a person must publish for several ways is told at once, and so are the names of all ways that failed.
        """
        ways = {solver: [one for one in self._presented if one.solver is solver] for solver in self._solvers()}
        if len(ways) > 1:
            with ThreadPoolExecutor(len(ways), "settle") as pool:
                ends = list(pool.map(self._settled, ways, ways.values()))
        else:
            ends = [self._settled(solver, mine) for solver, mine in ways.items()]
        for words in (words for end in ends if not isinstance(end, Exception) for words in end):
            self._store.event(self._site, "NotPropagated", words, self._clock.now())
            self._told.append(words)
        failures = [failure for end in ends if isinstance(end, NamesFailed) for failure in end.failures]
        if failures:
            raise NamesFailed(failures)
        waits = [end for end in ends if isinstance(end, Waiting)]
        if waits:
            raise _of_all(waits)

    def _solvers(self) -> Sequence[Solver]:
        return list(dict.fromkeys(one.solver for one in self._presented))

    def _settled(self, solver: Solver, mine: Sequence[Shown]) -> Sequence[str] | NamesFailed | Waiting:
        """Give what is to be told of a way, or why it is not to be gone."""
        now = self._clock.now()
        since = max(one.thing.presented or now for one in mine)
        try:
            return solver.settle([one.thing for one in mine], since, self._say) or ()
        except Failed as failure:
            return _of_names(failure, mine)
        except Waiting as wait:
            return wait

    def self_test(self) -> Sequence[Failed]:
        """Look at what was presented, for ten seconds at most; tell failures, and give those that count."""
        looked_at = [one for one in self._presented if self._tests(one)]
        find = Names(self._resolvers).declared_addresses
        refusals = []
        for one, failure in zip(looked_at, run_tests(self._challenges, looked_at, find=find), strict=True):
            if failure is None:
                continue
            failure.hostname, failure.method = one.hostname, one.method.name
            if one.self_test is Switch.ENFORCE:
                refusals.append(failure)
            else:
                self._say(f"self-test: {failure}; the CA is asked all the same")
                self._told.append(f"self-test: {failure}; the CA was asked all the same")
                self._store.event(self._site, Reason.SELF_TEST_FAILED, str(failure), self._clock.now())
        return refusals

    def clean_up(self) -> None:
        """Take away what was presented for this site; what cannot be taken away now stays written down."""
        for thing in self._store.undo():
            if thing.site == self._site and thing.kind != "address" and not thing.is_tried(self._clock.now()):
                with suppress(Waiting):  # the process stops: it is taken away when it starts again
                    undo(self._store, self._challenges, thing)
                    self._withdrawn.append(thing)

    @property
    def told(self) -> str:
        """Give what a person must hear of an order that came to its end: who was passed over, and what still stands."""
        return "; ".join([*dict.fromkeys(self._told), *filter(None, [self._to_take_away])])

    @property
    def _to_take_away(self) -> str:
        """Name what was withdrawn and a person published, "" for nothing: it still stands there."""
        theirs = [one for one in self._withdrawn if one.provider is not None and one.provider.type == "manual"]
        lines = ", ".join(f'{one.name}. IN TXT "{one.value}"' for one in theirs)
        return f"no longer needed, to be taken away by whoever published it: {lines}" if lines else ""

    def say(self, message: str) -> None:
        """Report progress."""
        self._say(message)

    def _tests(self, one: Shown) -> bool:
        """A warning from a way to the name that only public CAs go would be no news where another CA asks."""
        matters = self._public or one.method.type != "http-01"
        return one.self_test is Switch.ENFORCE or (one.self_test is Switch.WARN and matters)


class OfflineDesk(SiteDesk):
    """The desk of an issuer that signs at once. Nothing is in flight, so no key is kept: who is killed signs anew."""

    def key(self) -> Secret:
        """Give the key, made on first use."""
        self._key = self._key or self._making.make()
        return self._key


def _of_all(waits: Sequence[Waiting]) -> Waiting:
    """Join the waits of several ways; one for a person comes first, since nobody else will end it."""
    chosen = [one for one in waits if one.reason == Reason.WAITING_FOR_SOLVE] or list(waits[:1])
    return Waiting(chosen[0].reason, "; ".join(map(str, chosen)), max(one.until for one in chosen))


def _of_names(failure: Failed, shown: Sequence[Shown]) -> NamesFailed:
    """Say which hostnames a failure to settle is about: those of the record that it names, else all of that way."""
    parts = failure.failures if isinstance(failure, NamesFailed) else (failure,)
    return NamesFailed(
        [
            Failed(
                part.reason,
                str(part),
                blame=part.blame,
                hostname=one.hostname,
                method=one.method.name,
                type=part.type,
                url=part.url,
                until=part.until,
            )
            for part in parts
            for one in [one for one in shown if part.hostname in {one.thing.name, one.hostname}] or shown
        ]
    )
