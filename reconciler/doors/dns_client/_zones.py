"""Which zone a name is in, and which servers answer for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client._asking import Answer, ask, lookup, said
from reconciler.doors.dns_client._endpoint import Endpoint
from reconciler.doors.dns_client._failures import DnsFailed
from reconciler.doors.dns_client._names import below, checked_name, parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its apex. `minimum`: how long resolvers keep "no such record" of it, in seconds."""

    name: str
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server of a zone at one of its addresses."""

    name: str
    endpoint: Endpoint

    def __str__(self) -> str:
        """Give `ns1.example.com (192.0.2.1)`, or the address alone where there is no name."""
        return f"{self.name} ({self.endpoint})" if self.name else str(self.endpoint)


def zone_of(resolvers: Sequence[Endpoint], name: str) -> Zone:
    """Find the zone cut above or at a name by SOA, through resolvers. Raises DnsFailed(ZoneNotFound ...)."""
    try:
        return _climbed(name, lambda candidate: lookup(resolvers, candidate, "SOA"))[0]
    except DnsFailed as failure:
        if failure.reason != "ZoneNotFound":
            raise
        asked = " and ".join(str(one) for one in resolvers[:_SHOWN])
        raise DnsFailed("ZoneNotFound", f"no zone holds {name}: asked for an SOA, {asked} gave none") from None


def zone_at(server: Endpoint, name: str) -> tuple[Zone, Answer]:
    """Find the zone that this very server has for a name; give what it said of the name, an alias included.

    Raises DnsFailed(ZoneNotOurs ...).
    """

    def one(candidate: str) -> Answer:
        answer = ask(server, candidate, "SOA")
        if answer.alias is not None:
            # a server may fail where the aliases end: that is not what was asked
            return answer
        if answer.rcode in {"REFUSED", "NOTAUTH"} or (answer.exists and not answer.authoritative):
            raise DnsFailed("ZoneNotOurs", f"the name server {server} has no zone that holds {name}")
        if answer.rcode not in {"NOERROR", "NXDOMAIN"}:
            raise said(server, answer.rcode, f"SOA of {candidate}")
        return answer

    try:
        return _climbed(name, one)
    except DnsFailed as failure:
        if failure.reason != "ZoneNotFound":
            raise
        raise DnsFailed("ZoneNotOurs", f"the name server {server} has no zone that holds {name}") from None


def _climbed(name: str, once: Callable[[str], Answer]) -> tuple[Zone, Answer]:
    """Ask upwards from the name: an answer names its zone at once, except where an alias leads elsewhere."""
    candidate, first = name, None
    while candidate:
        answer = once(candidate)
        first = first or answer
        # behind an alias stands another name's zone; an SOA of a zone that does not hold the name is a lie
        if answer.zone and answer.alias is None and below(candidate, answer.zone):
            return Zone(checked_name(answer.zone), answer.minimum or 0), first
        candidate = parent(candidate)
    raise DnsFailed("ZoneNotFound", f"no zone holds {name}: no name server gives an SOA for it")


def name_servers(resolvers: Sequence[Endpoint], zone: str) -> tuple[NameServer, ...]:
    """Give the servers that the zone's NS records name, at all their addresses of both families.

    Raises DnsFailed where there are none, or where none has an address.
    """
    names = sorted({checked_name(name) for name in lookup(resolvers, zone, "NS").records})
    if not names:
        raise DnsFailed("ZoneNotFound", f"the zone {zone} has no NS records")
    found = [
        NameServer(name, Endpoint(address))
        for name in names
        for kind in ("A", "AAAA")
        for address in sorted(lookup(resolvers, name, kind).records)
    ]
    if not found:
        raise DnsFailed("ZoneNotFound", f"no name server of {zone} has an address: {', '.join(names[:4])}")
    return tuple(found)
