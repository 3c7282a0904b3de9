"""A and AAAA records by a method's provider: added and removed by value; what stood there before is never ours."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.finding import Finder
from reconciler.challenges.dns.rfc2136 import Rfc2136
from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed
from reconciler.model.observed import Undo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import DnsSpec

_AT_MOST: Final = 30.0
THEIRS: Final = "theirs"


class Addresses:
    """Publishes by one method, whose provider must be rfc2136."""

    def __init__(self, spec: DnsSpec, means: Means) -> None:
        provider = spec.provider
        if provider is None or provider.type != "rfc2136":
            raise Failed("ProviderFailed", f"{spec.name} writes no address records: its provider is not rfc2136")
        self._spec, self._means, self._server = spec, means, dns.parse_endpoint(provider.server)
        self._provider, self._finder = Rfc2136(provider, means), Finder(spec, means.clock)

    def prepare(self, site: str, name: str, address: str) -> Undo:
        """Find the zone, and whether the record stands there already. Raises Failed: AliasStands, ZoneNotOurs ..."""
        zone, alias = self._finder.look(dns.checked_name(name))
        if alias is not None:
            raise Failed("AliasStands", f"{name} is a CNAME to {alias}, beside which no address can stand: remove it")
        digest = hashlib.sha256(f"address\0{site}\0{name}\0{address}".encode()).hexdigest()
        thing = Undo(digest[:32], site, "address", zone.name, name, value=address, provider=self._spec.provider)
        return replace(thing, identity=THEIRS) if self._has(self._server, thing) else thing

    def publish(self, thing: Undo, ttl: int) -> None:
        """Add the record. Raises Failed."""
        self._provider.add_address(thing.place, thing.name, thing.value, ttl)

    def settle(self, things: Sequence[Undo], say: Callable[[str], None]) -> None:
        """Ask every name server until each has them, for half a minute at most. Raises Failed(NotPropagated)."""
        wait = self._spec.propagation
        if wait.mode == "off":
            return
        clock = self._means.clock
        end = clock.monotonic() + min(wait.timeout.total_seconds(), _AT_MOST)
        left = self._lacking(things)
        while left and clock.monotonic() < end and not clock.wait(min(wait.interval.total_seconds(), 1.0)):
            left = self._lacking(things)
        if left and wait.mode == "enforce":
            raise Failed("NotPropagated", f"not at every name server yet: {'; '.join(left[:3])}")
        if left:
            say(f"going on although not at every name server: {'; '.join(left[:3])}")

    def _lacking(self, things: Sequence[Undo]) -> list[str]:
        return [
            f"{server} lacks {thing.name} {thing.value}"
            for thing in things
            for server in self._finder.servers(thing.place)
            if not self._has(server.endpoint, thing)
        ]

    @staticmethod
    def _has(server: dns.Endpoint, thing: Undo) -> bool:
        try:
            answer = dns.ask(server, thing.name, "AAAA" if ":" in thing.value else "A")
        except dns.DnsFailed as failure:
            if failure.reason == dns.NO_ROUTE:
                return True  # this machine has no such address family: others ask there, we cannot
            raise
        return thing.value in answer.records


def withdraw_address(thing: Undo, means: Means) -> None:
    """Delete a record that we published; what stood there before stays. Raises Failed."""
    if thing.identity != THEIRS and thing.provider is not None and thing.provider.type == "rfc2136":
        Rfc2136(thing.provider, means).remove_address(thing.place, thing.name, thing.value)
