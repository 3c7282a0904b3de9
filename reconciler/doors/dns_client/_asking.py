"""One question to one server, or to the first of several that answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors.dns_client._failures import DnsFailed, failed
from reconciler.doors.dns_client._names import HOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.doors.dns_client._endpoint import Endpoint

SECONDS: Final = 5.0
_UDP_TRIES: Final = (1.0, 1.5)
_MOST_RECORDS: Final = 1000
_OF_THE_NAME_ITSELF: Final = frozenset({"CNAME", "SOA"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said of one question.

    `records` are those of the asked type, as text (a TXT's strings joined; else presentation format), at the end of
    the aliases that the answer itself holds. `alias` is the target where the name is a CNAME. `zone` and `minimum` come
    from an SOA: its owner, and how long a resolver keeps "no such record", in seconds (RFC 2308 section 5).
    `referral` is the zone whose servers are to be asked instead. `authentic` is the resolver's word for DNSSEC (RFC
    6840 section 5.8).
    """

    rcode: str
    records: tuple[str, ...] = ()
    alias: str | None = None
    authoritative: bool = False
    authentic: bool = False
    zone: str | None = None
    minimum: int | None = None
    referral: str | None = None

    @property
    def exists(self) -> bool:
        """Tell whether the server knows the name, whatever it holds."""
        return self.rcode == "NOERROR"


def ask(server: Endpoint, name: str, kind: str, *, recursive: bool = False, unchecked: bool = False) -> Answer:
    """Ask one server. `unchecked` asks a resolver to leave DNSSEC out. Raises DnsFailed; any rcode is an answer."""
    what = f"{kind} of {name}"
    try:
        return _read(_exchanged(server, name, kind, recursive=recursive, unchecked=unchecked), name, kind)
    except DnsFailed:
        raise
    except Exception as error:  # noqa: BLE001  what a server sends may trip any line of a parser
        raise failed(server, what, error) from None


def lookup(resolvers: Sequence[Endpoint], name: str, kind: str, *, unchecked: bool = False) -> Answer:
    """Ask resolvers in turn until one knows. Raises DnsFailed of the last; SERVFAIL and REFUSED count as failures."""
    last: DnsFailed | None = None
    for server in resolvers:
        try:
            answer = ask(server, name, kind, recursive=True, unchecked=unchecked)
        except DnsFailed as failure:
            last = failure
            continue
        if answer.rcode in {"NOERROR", "NXDOMAIN"} or (answer.alias is not None and kind in _OF_THE_NAME_ITSELF):
            return answer
        last = said(server, answer.rcode, f"{kind} of {name}")
    raise last or DnsFailed("DnsUnreachable", f"no name server is known to ask for {kind} of {name}")


def said(server: object, rcode: str, what: str) -> DnsFailed:
    """Make a failure of a refusing rcode."""
    reason = "DnsRefused" if rcode in {"REFUSED", "NOTAUTH"} else "DnsBroken"
    return DnsFailed(reason, f"the name server {server} answered {rcode} to {what}")


def _exchanged(server: Endpoint, name: str, kind: str, *, recursive: bool, unchecked: bool) -> Any:  # noqa: ANN401
    import dns.exception
    import dns.flags
    import dns.message
    import dns.query

    flags = (dns.flags.RD | dns.flags.AD if recursive else 0) | (dns.flags.CD if unchecked else 0)
    query = dns.message.make_query(f"{name}.", kind, flags=flags)
    end = time.monotonic() + SECONDS
    for seconds in _UDP_TRIES:
        try:
            return dns.query.udp(
                query,
                server.address,
                timeout=seconds,
                port=server.port,
                ignore_unexpected=True,
                ignore_errors=True,
                raise_on_truncation=True,
            )
        except dns.message.Truncated:
            break
        except dns.exception.Timeout:
            continue
    # by TCP where the answer is too long for UDP, and where nothing came: a firewall may let only one of them pass
    return dns.query.tcp(query, server.address, timeout=max(end - time.monotonic(), 0.1), port=server.port)


def _read(message: Any, name: str, kind: str) -> Answer:  # noqa: ANN401  dnspython stays behind the door
    import dns.flags
    import dns.name
    import dns.rcode
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    owner = dns.name.from_text(f"{name}.")
    sets = {(one.name, one.rdtype): one for one in message.answer}
    alias = sets.get((owner, dns.rdatatype.CNAME))
    if kind not in _OF_THE_NAME_ITSELF:
        owner = _end_of_aliases(owner, sets, name)
    found = sets.get((owner, wanted))
    soa = next((one for one in (*message.answer, *message.authority) if one.rdtype == dns.rdatatype.SOA), None)
    authoritative = bool(message.flags & dns.flags.AA)
    cut = next((one for one in message.authority if one.rdtype == dns.rdatatype.NS), None)
    referral = cut is not None and not authoritative and not message.answer and soa is None
    return Answer(
        rcode=dns.rcode.to_text(message.rcode()),
        records=tuple(_text(one) for one in list(found or ())[:_MOST_RECORDS]),
        alias=_name(alias[0].target) if alias else None,
        authoritative=authoritative,
        authentic=bool(message.flags & dns.flags.AD),
        zone=_name(soa.name) if soa else None,
        # asked for an SOA that is not there, BIND gives the one of the zone no time to live
        minimum=min(soa.ttl or soa[0].minimum, soa[0].minimum) if soa else None,
        referral=_name(cut.name) if cut is not None and referral else None,
    )


def _end_of_aliases(owner: Any, sets: Any, name: str) -> Any:  # noqa: ANN401
    import dns.rdatatype

    for _ in range(HOPS + 1):
        alias = sets.get((owner, dns.rdatatype.CNAME))
        if alias is None:
            return owner
        owner = alias[0].target
    raise DnsFailed("DnsBroken", f"{name} leads through more than {HOPS} aliases, or in a circle")


def _name(name: Any) -> str:  # noqa: ANN401
    return str(name.to_text(omit_final_dot=True)).lower() if len(name.labels) > 1 else ""


def _text(record: Any) -> str:  # noqa: ANN401
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode("latin-1") if strings is not None else str(record.to_text())
