"""The desk at which an issuer works for one site: everything it remembers is on disk before the call returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import OrderRecord, Undo
    from reconciler.model.ports import Asked, Challenges, Lease, Solver, Store
    from reconciler.model.text import Secret


class SiteDesk:
    """A Desk under the site's lease."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        site: str,
        challenges: Challenges,
        make_key: Callable[[], Secret],
        say: Callable[[str], None],
    ) -> None:
        """`make_key` gives a new key, or the live one where the key is reused."""
        self._store, self._lease, self._site = store, lease, site
        self._challenges, self._make_key, self._say = challenges, make_key, say
        self._presented: list[tuple[Solver, Undo]] = []

    def order(self) -> OrderRecord | None:
        """Give the order that an earlier attempt left."""
        return self._store.orders([self._site]).get(self._site)

    def save(self, order: OrderRecord) -> None:
        """Keep the order."""
        self._store.put_order(self._lease, self._site, order)

    def forget(self, *, keep_key: bool) -> None:
        """Drop the order."""
        self._store.drop_order(self._lease, self._site, keep_key=keep_key)

    def key(self) -> Secret:
        """Give the pending key."""
        return self._store.pending_key(self._lease, self._site, self._make_key)

    def present(self, method: MethodSpec, hostname: str, token: str, asked: Asked) -> None:
        """Publish an answer; the undo record is on disk first."""
        solver = self._challenges.solver(method)
        thing = solver.prepare(self._site, hostname, token, asked)
        self._store.put_undo(thing)
        done = solver.present(thing, asked.key_authorization)
        if done != thing:
            self._store.put_undo(done)
        self._presented.append((solver, done))

    def settle(self, since: datetime) -> None:
        """Wait until the CA can see what was presented: once for each way, while all of it spreads side by side."""
        for solver in dict.fromkeys(solver for solver, _ in self._presented):
            solver.settle([thing for its, thing in self._presented if its is solver], since, self._say)

    def clean_up(self) -> None:
        """Take away what was presented for this site; what cannot be taken away now stays written down."""
        for thing in self._store.undo():
            if thing.site == self._site:
                undo(self._store, self._challenges, thing)

    def say(self, message: str) -> None:
        """Report progress."""
        self._say(message)


def undo(store: Store, challenges: Challenges, thing: Undo) -> str | None:
    """Undo one thing and forget it; give the reason if it could not be undone (it stays written down then)."""
    try:
        challenges.clean_up(thing)
    except Failed as failure:
        return str(failure)
    store.undone(thing)
    return None
