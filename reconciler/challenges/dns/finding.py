"""Where a record is to be written: the zone cut, what an alias says, and the servers that answer for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.names import CHALLENGE
from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed

if TYPE_CHECKING:
    from reconciler.model.desired import DnsSpec
    from reconciler.model.ports import Clock

_KEPT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """The end of all aliases: an owner name in a zone."""

    name: str
    zone: dns.Zone


class Finder:
    """Finds places for one method. The primary that the provider writes to is asked before all others."""

    def __init__(self, spec: DnsSpec, clock: Clock) -> None:
        """Where the provider declares its zone, nobody is asked for the cut."""
        provider = spec.provider
        self._spec, self._clock = spec, clock
        self._own = dns.parse_endpoint(provider.server) if provider and provider.type == "rfc2136" else None
        self._zone: str | None = getattr(provider, "zone", None)
        self._declared = tuple(dns.parse_endpoint(text) for text in spec.propagation.nameservers)
        self._given = tuple(dns.parse_endpoint(text) for text in spec.resolvers)
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[float, tuple[dns.NameServer, ...]]] = {}
        self._zones: dict[str, dns.Zone] = {}
        self._owned: set[str] = set()

    @property
    def primary(self) -> dns.Endpoint | None:
        """Give the server that the provider writes to, if it is one."""
        return self._own

    def place(self, name: str) -> Place:
        """Follow aliases to where the record belongs. Raises Failed(AliasStands, AliasRefused), DnsFailed."""
        start, seen = name, {name: None}
        while True:
            zone, alias = self.look(name)
            if alias is None:
                break
            if not self._spec.follow_cname:
                raise Failed("AliasStands", _standing(name, alias))
            name = dns.checked_name(alias)
            if name in seen:
                raise Failed("AliasRefused", f"{start} leads in a circle of CNAMEs: {' -> '.join((*seen, name))}")
            if len(seen) > dns.HOPS:
                raise Failed("AliasRefused", f"{start} leads over more than {dns.HOPS} CNAMEs, to {name} at last")
            seen[name] = None
        # a name of the challenge's own that was delegated holds nothing else, as an SPF record
        if name == zone.name and (name != start or not name.startswith(f"{CHALLENGE}.")):
            leads = f"{start} leads to {name}: " if name != start else ""
            raise Failed("AliasRefused", f"{leads}a TXT record is never written at the apex of a zone, as {name} is")
        if name != start and not self._may_be_written(name):
            raise Failed("AliasRefused", self._not_ours(start, name))
        with self._lock:
            self._zones[zone.name] = zone
        return Place(name, zone)

    def servers(self, zone: str) -> tuple[dns.NameServer, ...]:
        """Give all that answer for a zone, at all addresses; asked for at most once a minute. Raises DnsFailed."""
        if self._declared:
            return tuple(dns.NameServer("", endpoint) for endpoint in self._declared)
        with self._lock:
            known = self._servers.get(zone)
        now = self._clock.monotonic()
        if known is not None and now - known[0] < _KEPT_SECONDS:
            return known[1]
        found = tuple(dict.fromkeys(self._at_its_port(one) for one in dns.name_servers(self._resolvers(), zone)))
        with self._lock:
            self._servers[zone] = now, found
        return found

    def zone(self, name: str, known: str) -> dns.Zone:
        """Give the zone of a name at which aliases end; `known` is its apex where that was found before."""
        with self._lock:
            zone = self._zones.get(known)
        return zone if zone is not None else self.look(name)[0]

    def _at_its_port(self, server: dns.NameServer) -> dns.NameServer:
        """Ask the primary at the port that the manifest gives for it."""
        own = self._own
        return replace(server, endpoint=own) if own is not None and own.address == server.endpoint.address else server

    def _resolvers(self) -> tuple[dns.Endpoint, ...]:
        first = (self._own,) if self._own is not None else ()
        return (*first, *self._given) if first or self._given else dns.system_resolvers()

    def look(self, name: str) -> tuple[dns.Zone, str | None]:
        """Give the zone of a name, and where the name points if it is an alias."""
        zone, answer = self._cut(name)
        answer = answer or self._asked(zone.name, name, "CNAME")
        for _ in range(dns.HOPS):
            if answer.referral is None or not dns.below(name, answer.referral) or answer.referral == zone.name:
                break
            zone = dns.Zone(dns.checked_name(answer.referral), zone.minimum)
            answer = self._asked(zone.name, name, "CNAME")
        zone = replace(zone, minimum=answer.minimum or zone.minimum)
        alias = answer.alias
        return zone, None if alias is None or self._by_wildcard(zone.name, name, alias) else alias

    def _cut(self, name: str) -> tuple[dns.Zone, dns.Answer | None]:
        """Give the zone above or at a name, and what its own server said of the name if one was asked."""
        if self._zone is not None and dns.below(name, self._zone):
            return dns.Zone(self._zone), None
        last: dns.DnsFailed | None = None
        for server in (self._own,) if self._own is not None else self._declared:
            try:
                found, answer = dns.zone_at(server, name)
            except dns.DnsFailed as failure:
                last = failure
            else:
                self._owned.add(found.name)
                return found, answer
        if last is not None and (last.reason != "ZoneNotOurs" or not self._spec.follow_cname):
            raise last
        # not the name itself: a resolver would remember for a while that nothing is there
        resolvers = self._given or dns.system_resolvers()
        return dns.zone_of(resolvers, dns.parent(name)), None

    def _asked(self, zone: str, name: str, kind: str) -> dns.Answer:
        """Ask the zone's own servers, the first that answers; a resolver would remember what is not there yet."""
        last: dns.DnsFailed | None = None
        for endpoint in self._askable(zone):
            try:
                answer = dns.ask(endpoint, name, kind)
            except dns.DnsFailed as failure:
                last = failure
                continue
            if answer.rcode in {"NOERROR", "NXDOMAIN"} or answer.alias is not None:
                return answer
            last = _useless(endpoint, answer.rcode, f"{kind} of {name}", zone)
        if self._spec.follow_cname:
            # a zone on the way, whose servers we need not be able to reach
            return dns.lookup(self._given or dns.system_resolvers(), name, kind)
        raise last or dns.DnsFailed("DnsUnreachable", f"no name server of {zone} is known")

    def _askable(self, zone: str) -> tuple[dns.Endpoint, ...]:
        if self._own is not None and (zone in self._owned or zone == self._zone):
            return (self._own,)
        return tuple(server.endpoint for server in self.servers(zone))

    def _by_wildcard(self, zone: str, name: str, alias: str) -> bool:
        """Tell whether only a wildcard makes the alias: it gives way as soon as our record stands."""
        above = dns.parent(name)
        while above and dns.below(above, zone):
            if self._asked(zone, f"*.{above}", "CNAME").alias == alias:
                return True
            above = dns.parent(above)
        return False

    def _may_be_written(self, name: str) -> bool:
        """Tell whether a CNAME may lead there: below a declared target, or to a challenge's own name in `zone`.

        Whoever may write the CNAME must not choose what of ours is beside our record (DKIM, SPF).
        """
        inside = any(name.endswith(f".{domain}") for domain in self._spec.cname_targets)
        in_zone = self._zone is None or dns.below(name, self._zone)
        return inside or (name.startswith(f"{CHALLENGE}.") and in_zone)

    def _not_ours(self, start: str, name: str) -> str:
        rule = f"a target starts with {CHALLENGE}."
        rule += f" and lies in the declared zone {self._zone}," if self._zone is not None else ""
        return (
            f"{start} leads to {name}, where nothing is written: {rule} or is allowed by "
            f"`cnameTargets: [{dns.parent(name)}]`"
        )


def _useless(endpoint: dns.Endpoint, rcode: str, what: str, zone: str) -> dns.DnsFailed:
    words = f"the name server {endpoint} answered {rcode} to {what}"
    if rcode in {"REFUSED", "NOTAUTH"}:
        return dns.DnsFailed("ZoneNotOurs", f"{words}: it does not hold the zone {zone}, or does not tell us")
    return dns.DnsFailed("DnsBroken", words)


def _standing(name: str, alias: str) -> str:
    return f"{name} is a CNAME to {alias}: write `followCname: true` to have the record written there, or remove it"
