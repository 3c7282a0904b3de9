"""dns-persist-01 (draft-ietf-acme-dns-persist): a standing record that a person publishes; read, never written.

Each name has a record of its own, a wildcard that of its base. One further up, with policy=wildcard, is not waited
for: a CA may take it or not, and one that does finds it by itself before it asks for a proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.challenges.dns.dns01 import await_person, txt_undo
from reconciler.challenges.dns.finding import Finder, Place
from reconciler.challenges.dns.manual import record_line
from reconciler.challenges.dns.names import checked_length, persist_name, persist_value, persists
from reconciler.challenges.dns.propagation import Record, Watcher
from reconciler.doors.dns_client import api as dns
from reconciler.errors import Stalled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import DnsPersist01
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Asked


class PersistSolver:
    """Checks standing records of one method. Safe for threads."""

    def __init__(self, spec: DnsPersist01, means: Means) -> None:
        self._spec, self._means = spec, means
        self._finder = Finder(spec, means.clock)
        self._issuers: dict[str, tuple[str, ...]] = {}

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:  # noqa: ARG002  it has no token
        """Tell which record must stand. Raises Stalled where the CA does not say under which names it is known."""
        if not asked.issuers or not asked.account:
            ends = "the CA names itself (issuer-domain-names)"
            raise Stalled("NoUsableChallenge", f"{hostname}: the CA offers dns-persist-01 without its names", ends)
        place = Place(checked_length(hostname, persist_name(hostname)), dns.Zone(""))
        thing = txt_undo(site, place, persist_value(hostname, asked.issuers[0], asked.account), None)
        self._issuers[thing.id] = asked.issuers
        return thing

    def present(self, thing: Undo, key_authorization: str) -> Undo:  # noqa: ARG002
        """Write nothing."""
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:  # noqa: ARG002
        """See that the records stand, at every name server, unless `mode` is off.

        Raises Waiting(WaitingForSolve) with what to publish, DnsFailed where the name servers are not found.
        """
        if self._spec.propagation.mode == "off":
            return
        watched = {self._record(one): record_line(one.name, self._spec.ttl, one.value) for one in things}
        await_person(Watcher(self._spec.propagation, self._means.clock, say), watched, self._means, say)

    def _record(self, thing: Undo) -> Record:
        zone = self._finder.zone(thing.name, "")
        wanted, issuers, now = thing.value, self._issuers[thing.id], self._means.clock.now().timestamp()
        return Record(
            thing.name,
            lambda found: persists(found, wanted, issuers, now),
            self._finder.servers(zone.name),
            zone.name,
            zone.minimum,
        )
