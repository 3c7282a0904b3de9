"""Whether a value that nobody can take away stands anywhere at all: what no name server has needs not be taken away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.finding import Finder
from reconciler.challenges.dns.propagation import is_out_of_reach
from reconciler.doors.dns_client import api as dns
from reconciler.model.desired import Dns01, DnsAccount01, DnsPersist01, ManualDns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model.desired import DnsSpec, MethodSpec
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Clock

# a provider that seemed to fail may have done it all the same, and its servers hear of it late
_SETTLED: Final = timedelta(hours=1)
_NOT_THERE: Final = frozenset({"ZoneNotOurs", "ZoneNotFound"})
_ANYHOW: Final = Dns01(name="", provider=ManualDns())


def stands_nowhere(thing: Undo, methods: Iterable[MethodSpec], clock: Clock) -> bool:
    """Tell whether each name server of its zone says that it does not have the value, an hour after it was written.

    `methods` tell by whom name servers are found; the first by which they are is believed. Where one does not answer,
    nothing is known: whom the next one asks may see another side of a split zone.
    """
    if thing.presented is None or clock.now() - thing.presented < _SETTLED:
        return False
    declared = [one for one in methods if isinstance(one, Dns01 | DnsAccount01 | DnsPersist01)]
    for spec in dict.fromkeys([*declared, _ANYHOW]):
        try:
            servers = _servers(thing, spec, clock)
        except dns.DnsFailed as failure:
            if failure.reason in _NOT_THERE:
                continue
            return False
        return bool(servers) and all(_lacks(server, thing, servers) for server in servers)
    return False


def _servers(thing: Undo, spec: DnsSpec, clock: Clock) -> tuple[dns.NameServer, ...]:
    finder = Finder(spec, clock)
    return finder.servers(finder.zone(thing.name, thing.place).name)


def _lacks(server: dns.NameServer, thing: Undo, servers: Sequence[dns.NameServer]) -> bool:
    try:
        answer = dns.ask(server.endpoint, thing.name, "TXT")
    except dns.DnsFailed as failure:
        return is_out_of_reach(failure, server, servers)
    return answer.authoritative and answer.rcode in {"NOERROR", "NXDOMAIN"} and thing.value not in answer.records
