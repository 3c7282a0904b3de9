"""A and AAAA records by a method's provider: added and removed by value; what stood there before is never ours."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.finding import Finder
from reconciler.challenges.dns.making import address_writer
from reconciler.challenges.dns.propagation import silence
from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed
from reconciler.model.observed import Undo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import DnsSpec

    Question = tuple[Undo, dns.NameServer]

_AT_MOST: Final = 30.0
_AT_ONCE: Final = 16
THEIRS: Final = "theirs"


class Addresses:
    """Publishes by one method, whose provider must write address records."""

    def __init__(self, spec: DnsSpec, means: Means) -> None:
        """Raises Failed(ProviderFailed) for a provider that knows TXT records alone."""
        writer = address_writer(spec.provider, means)
        if writer is None:
            kind = spec.provider.type if spec.provider is not None else "missing"
            raise Failed("ProviderFailed", f"{spec.name} writes no address records: its provider is {kind}")
        self._spec, self._means, self._writer = spec, means, writer
        self._finder = Finder(spec, means.clock)

    def prepare(self, site: str, name: str, address: str) -> Undo:
        """Find the zone, and whether the record stands there already. Raises Failed: AliasStands, ZoneNotOurs ..."""
        zone, alias = self._finder.look(dns.checked_name(name))
        if alias is not None:
            raise Failed("AliasStands", f"{name} is a CNAME to {alias}, beside which no address can stand: remove it")
        digest = hashlib.sha256(f"address\0{site}\0{name}\0{address}".encode()).hexdigest()
        thing = Undo(digest[:32], site, "address", zone.name, name, value=address, provider=self._spec.provider)
        return replace(thing, identity=THEIRS) if self.stands(thing) else thing

    def publish(self, thing: Undo, ttl: int) -> None:
        """Add the record. Raises Failed."""
        self._writer.add_address(thing.place, thing.name, thing.value, ttl)

    def stands(self, thing: Undo) -> bool:
        """Tell whether the primary has the record, or where that is not known any name server. Raises DnsFailed."""
        primary = self._finder.primary
        servers = (primary,) if primary is not None else self._endpoints(thing.place)
        last: dns.DnsFailed | None = None
        heard = False
        for endpoint in servers:
            try:
                if _has(endpoint, thing):
                    return True
                heard = True
            except dns.DnsFailed as failure:
                last = failure
        if last is not None and not heard:
            raise last
        return False

    def settle(self, things: Sequence[Undo], say: Callable[[str], None]) -> None:
        """Ask every name server until each has them, for half a minute at most.

        Raises Failed(NotPropagated), Waiting where the process stops.
        """
        wait = self._spec.propagation
        if wait.mode == "off":
            return
        left = self._waited(self._questions(things, say))
        if left and wait.mode == "enforce":
            raise Failed("NotPropagated", f"not at every name server yet: {'; '.join(left[:3])}")
        if left:
            say(f"going on although not at every name server: {'; '.join(left[:3])}")

    def _questions(self, things: Sequence[Undo], say: Callable[[str], None]) -> list[Question]:
        try:
            return [(thing, server) for thing in things for server in self._finder.servers(thing.place)]
        except dns.DnsFailed as failure:
            if self._spec.propagation.mode == "enforce":
                raise
            say(f"not watching the address records: {failure}")
            return []

    def _waited(self, questions: Sequence[Question]) -> list[str]:
        """Ask until nobody lacks anything or the time is over; give who then lacks what."""
        clock, wait = self._means.clock, self._spec.propagation
        end = clock.monotonic() + min(wait.timeout.total_seconds(), _AT_MOST)
        left = _lacking(questions)
        while left and clock.monotonic() < end:
            if clock.wait(min(wait.interval.total_seconds(), 1.0)):
                raise self._means.stopped()
            # who had it keeps it: only the others are asked again
            left = _lacking(list(left))
        return list(dict.fromkeys(left.values()))

    def _endpoints(self, zone: str) -> tuple[dns.Endpoint, ...]:
        return tuple(server.endpoint for server in self._finder.servers(zone))


def _has(server: dns.Endpoint, thing: Undo) -> bool:
    answer = dns.ask(server, thing.name, "AAAA" if ":" in thing.value else "A")
    if answer.rcode not in {"NOERROR", "NXDOMAIN"}:
        raise dns.DnsFailed("DnsBroken", f"the name server {server} answered {answer.rcode} for {thing.name}")
    return thing.value in answer.records


def _lacking(questions: Sequence[Question]) -> dict[Question, str]:
    """Ask all servers for all records, side by side; give who lacks what, in words."""
    with ThreadPoolExecutor(min(_AT_ONCE, max(len(questions), 1)), "dns") as pool:
        lacks = list(pool.map(_lack, questions))
    return {question: lack for question, lack in zip(questions, lacks, strict=True) if lack is not None}


def _lack(question: Question) -> str | None:
    thing, server = question
    try:
        return None if _has(server.endpoint, thing) else f"{server} lacks {thing.name} {thing.value}"
    except dns.DnsFailed as failure:
        # without a route this machine has no such address family: others ask there, we cannot
        return None if failure.reason == dns.NO_ROUTE else f"{server} {silence(failure)}"


def withdraw_address(thing: Undo, means: Means) -> None:
    """Delete a record that we published; what stood there before stays. Raises Failed."""
    writer = address_writer(thing.provider, means) if thing.identity != THEIRS else None
    if writer is not None:
        writer.remove_address(thing.place, thing.name, thing.value)
