"""Waiting until every authoritative name server, at each of its addresses, has every record: all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed, NamesFailed, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from reconciler.model.desired import Propagation
    from reconciler.model.ports import Clock

_AT_ONCE: Final = 32
_FIRST_PAUSE: Final = 0.05
# a thread serves many sites: a longer wait is taken up again with the same order
_IN_THREAD: Final = timedelta(seconds=30)
_SHOWN: Final = 3
_DELAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Record:
    """A record that should be seen. `fits` judges one value; `minimum` is the zone's negative-caching time, seconds."""

    name: str
    fits: Callable[[str], bool]
    servers: tuple[dns.NameServer, ...]
    zone: str = ""
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class Lack:
    """A server that has not got a record, and what it says instead. `fits` tells the records of one name apart."""

    name: str
    server: dns.NameServer
    why: str
    fits: Callable[[str], bool]

    def __str__(self) -> str:
        """Give `ns1.example.com (192.0.2.1) does not have _acme-challenge.example.com yet`."""
        return f"{self.server} {self.why}"


class Watcher:
    """Asks until nobody lacks anything."""

    def __init__(self, rules: Propagation, clock: Clock, say: Callable[[str], None]) -> None:
        self._rules, self._clock, self._say = rules, clock, say
        self._ours: dict[Record, None] = {}

    def lacking(self, records: Sequence[Record]) -> list[Lack]:
        """Ask every server for every record once, side by side."""
        self._ours |= dict.fromkeys(replace(record, servers=()) for record in records)
        questions = [(record, server) for record in records for server in record.servers]
        if len(questions) == 1:
            return [lack for lack in [_lack(*questions[0], self._ours)] if lack]
        with ThreadPoolExecutor(min(_AT_ONCE, max(len(questions), 1)), "dns") as pool:
            return [lack for lack in pool.map(lambda one: _lack(one[0], one[1], self._ours), questions) if lack]

    def wait(self, records: Sequence[Record]) -> list[Lack]:
        """Ask again and again, for the declared timeout but half a minute at most; give who still lacks what.

        Raises Waiting(InFlight) where the process stops.
        """
        end = self._clock.monotonic() + min(self._rules.timeout, _IN_THREAD).total_seconds()
        pause, told = _FIRST_PAUSE, ""
        lacks = self.lacking(records)
        while lacks and self._clock.monotonic() < end:
            if (words := shown(lacks)) != told and pause > _FIRST_PAUSE:
                told = words
                self._say(f"waiting for the name servers: {words}{slowly(records, lacks)}")
            if self._clock.wait(min(pause, max(end - self._clock.monotonic(), 0.0))):
                message = "the process stops; the order goes on when it starts again"
                raise Waiting("InFlight", message, self._clock.now())
            pause = min(pause * 2, self._rules.interval.total_seconds())
            # who had it keeps it: only the others are asked again
            lacks = self.lacking(_only(records, lacks))
        return lacks

    def judge(self, records: Sequence[Record], lacks: Sequence[Lack], since: datetime) -> Sequence[str]:
        """Say what becomes of a wait that ended with lacks: raises Waiting(InFlight) or Failed(NotPropagated).

        Gives who lacks what where it goes on all the same.
        """
        if not lacks:
            return ()
        words = f"{shown(lacks)}{slowly(records, lacks)}"
        now = self._clock.now()
        if now - since < self._rules.timeout:
            raise Waiting("InFlight", f"waiting for the name servers: {words}", now + self._rules.interval)
        if self._rules.mode == "warn":
            self._say(f"going on although {words}")
            return (f"going on although {words}",)
        raise NamesFailed([self._vain(records, lacks, name) for name in dict.fromkeys(lack.name for lack in lacks)])

    def _vain(self, records: Sequence[Record], lacks: Sequence[Lack], name: str) -> Failed:
        mine = [lack for lack in lacks if lack.name == name]
        seconds = int(self._rules.timeout.total_seconds())
        words = f"not at every name server after {seconds} s: {shown(mine)}{slowly(records, mine)}"
        return Failed("NotPropagated", words, hostname=name)


def shown(lacks: Sequence[Lack]) -> str:
    """Name the first few who lack something."""
    texts = list(dict.fromkeys(map(str, lacks)))
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def slowly(records: Sequence[Record], lacks: Sequence[Lack]) -> str:
    """Tell of negative caching (RFC 2308) where it can hold up a CA that asks too early."""
    missing = {lack.name for lack in lacks}
    worst = max((one for one in records if one.name in missing), key=lambda one: one.minimum, default=None)
    if worst is None or worst.minimum < _DELAYS:
        return ""
    where = f"the SOA minimum of {worst.zone}"
    return f" (a resolver that asked too early goes on without it for {worst.minimum} s, {where})"


def _only(records: Sequence[Record], lacks: Sequence[Lack]) -> list[Record]:
    left = {(lack.fits, lack.server) for lack in lacks}
    kept = []
    for record in records:
        servers = tuple(server for server in record.servers if (record.fits, server) in left)
        if servers:
            kept.append(Record(record.name, record.fits, servers, record.zone, record.minimum))
    return kept


def _lack(record: Record, server: dns.NameServer, ours: Collection[Record]) -> Lack | None:
    """Give what a server lacks; `ours` are all records that are watched, so that none of them counts as others'."""
    try:
        answer = dns.ask(server.endpoint, record.name, "TXT")
    except dns.DnsFailed as failure:
        if is_out_of_reach(failure, server, record.servers):
            return None
        return _lacks(record, server, silence(failure))
    if answer.alias is None and any(map(record.fits, answer.records)):
        return None
    if answer.rcode not in {"NOERROR", "NXDOMAIN"}:
        return _lacks(record, server, f"answers {answer.rcode} for {record.name}")
    if answer.alias is not None:
        return _lacks(record, server, f"has a CNAME at {record.name}, beside which no record can stand")
    count = sum(not _is_ours(record.name, value, ours) for value in answer.records)
    others = f", but {count} of others" if count else ""
    return _lacks(record, server, f"does not have {record.name} yet{others}")


def is_out_of_reach(failure: dns.DnsFailed, server: dns.NameServer, servers: Sequence[dns.NameServer]) -> bool:
    """Tell whether this machine has no IPv6 (or no IPv4) and others of the servers can be asked; the CA reaches all."""
    return failure.reason == dns.NO_ROUTE and any(_family(one) != _family(server) for one in servers)


def _is_ours(name: str, value: str, ours: Collection[Record]) -> bool:
    return any(one.fits(value) for one in ours if one.name == name)


def _lacks(record: Record, server: dns.NameServer, why: str) -> Lack:
    return Lack(record.name, server, why, record.fits)


def _family(server: dns.NameServer) -> bool:
    return ":" in server.endpoint.address


def silence(failure: dns.DnsFailed) -> str:
    """Tell what a server does that cannot be asked, after its name."""
    return {"DnsTimeout": "does not answer", "DnsUnreachable": "cannot be reached"}.get(
        failure.reason, "gives unusable answers"
    )
