"""What the DNS says of names, by the resolvers of the machine (or those that the Server declares): asked once each.

Answers are kept for as long as one attempt lasts; a broken signature (DNSSEC) is told from a server that is down.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed
from reconciler.execute.probes.resolvers import Resolvers

if TYPE_CHECKING:
    from collections.abc import Sequence

DNSSEC_BROKEN: Final = "DnssecBroken"
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads: its `addresses`, in their shortest form; `exists` tells whether the name itself is known."""

    addresses: frozenset[str]
    exists: bool


class Names:
    """Asks resolvers. Safe for threads."""

    def __init__(self, resolvers: Sequence[str] = ()) -> None:
        """Take `ADDRESS:PORT` of each resolver; none: those of the system, found when the first name is asked for."""
        self._given = bool(resolvers)
        self._resolvers = Resolvers([dns.parse_endpoint(text) for text in resolvers])
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], dns.Answer | Failed] = {}

    def addresses(self, name: str) -> Found:
        """Give the A and AAAA of a name, at the end of its aliases. Raises Failed: DnssecBroken, and those of DNS."""
        answers = [self.ask(name, kind) for kind in ("A", "AAAA")]
        found = frozenset(record for answer in answers for record in answer.records)
        return Found(found, any(answer.exists for answer in answers))

    def declared_addresses(self, name: str) -> tuple[str, ...]:
        """Give where a name leads by the resolvers that were given; nothing without any, or where they do not know."""
        try:
            return tuple(sorted(self.addresses(name).addresses)) if self._given else ()
        except Failed:
            return ()

    def ask(self, name: str, kind: str) -> dns.Answer:
        """Give the answer to a question, with the records at the end of all aliases. Raises Failed."""
        key = name, kind
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._asked(name, kind)
            with self._lock:
                if len(self._known) < _MOST:
                    self._known[key] = known
        if isinstance(known, Failed):
            raise known
        return known

    def _asked(self, name: str, kind: str) -> dns.Answer | Failed:
        try:
            return self._followed(name, kind)
        except Failed as failure:
            return failure

    def _followed(self, name: str, kind: str) -> dns.Answer:
        """Ask on where an answer holds nothing but an alias: not every server follows it."""
        answer, here = self._looked_up(name, kind), name
        for _ in range(dns.HOPS):
            if answer.records or answer.alias is None or not answer.exists:
                return answer
            here = dns.checked_name(answer.alias)
            answer = self._looked_up(here, kind)
        if answer.records or answer.alias is None:
            return answer
        raise Failed("DnsBroken", f"{name} leads through more than {dns.HOPS} aliases, or in a circle")

    def _looked_up(self, name: str, kind: str) -> dns.Answer:
        try:
            return self._resolvers.lookup(name, kind)
        except dns.DnsFailed as failure:
            if failure.reason != "DnsBroken":
                raise
            try:
                self._resolvers.lookup(name, kind, unchecked=True)
            except dns.DnsFailed:
                raise failure from None
        words = f"the resolver refuses {kind} of {name}, and gives it as soon as DNSSEC is left out"
        raise Failed(DNSSEC_BROKEN, words, hostname=name)
