"""Signed updates (RFC 2136, TSIG by RFC 8945) that add and delete single TXT values and addresses, nothing else."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors.dns_client._failures import DnsFailed, failed
from reconciler.doors.dns_client._names import below
from reconciler.errors import Failed
from reconciler.model.text import Secret, clean

if TYPE_CHECKING:
    from reconciler.doors.dns_client._endpoint import Endpoint

ALGORITHMS: Final = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_SECONDS: Final = 10.0
_UDP_SECONDS: Final = 2.0
_UDP_OCTETS: Final = 512  # RFC 1035 section 2.3.4
_OVERHEAD: Final = 200  # header, counts, and a TSIG record without its names
# who did not answer an update by UDP as it should: asked by TCP from then on, while this process lives
_BY_TCP: Final[set[Endpoint]] = set()
_STRING: Final = 255
_BLOCK: Final = "the key block in its file"
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_KEY: Final = re.compile(r'key\s+"?([^\s"{;]+)"?\s*\{([^{}]*)\}\s*;?', re.IGNORECASE)
_FIELD: Final = re.compile(r'(algorithm|secret)\s+"?([^\s";]+)"?\s*;', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A key for updates. `secret` holds the raw bytes."""

    name: str
    algorithm: str
    secret: Secret


def parse_key_file(name: str, algorithm: str, content: Secret) -> TsigKey:
    """Read a secret: base64, or a BIND `key NAME { algorithm A; secret S; };` block that agrees with the arguments.

    Raises Failed(TsigRefused), which never quotes what it read.
    """
    if algorithm not in ALGORITHMS:
        raise _refused(name, f"its algorithm {clean(algorithm, 40)} is not accepted: use {', '.join(ALGORITHMS)}")
    text = content.reveal().decode("ascii", "replace")
    bare = _COMMENT.sub("", text).strip() if "{" in text else text
    block = _KEY.fullmatch(bare)
    if block is not None:
        fields = {one[1].lower(): one[2] for one in _FIELD.finditer(block[2])}
        if not _same(block[1], name):
            raise _refused(name, f"{_BLOCK} is for the key {clean(block[1], 60)}, the manifest says {clean(name, 60)}")
        found = fields.get("algorithm", "")
        if not _same(found, algorithm):
            raise _refused(
                name, f"{_BLOCK} is for the algorithm {clean(found, 60) or 'nothing'}, {_mend(found, algorithm)}"
            )
        text = fields.get("secret", "")
    try:
        secret = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise _refused(name, "its secret is neither base64 nor a BIND `key NAME { ... };` block")
    return TsigKey(name, algorithm, Secret(secret))


def add_txt(server: Endpoint, zone: str, key: TsigKey, name: str, value: str, ttl: int) -> None:
    """Add one value to a name. Raises DnsFailed, also where the server did not sign its answer."""
    _send(server, zone, key, name, lambda update, record: update.add(f"{name}.", ttl, record), value)


def remove_txt(server: Endpoint, zone: str, key: TsigKey, name: str, value: str) -> None:
    """Delete one value from a name; one that is not there is no failure. Raises DnsFailed."""
    _send(server, zone, key, name, lambda update, record: update.delete(f"{name}.", record), value)


def add_address(server: Endpoint, zone: str, key: TsigKey, name: str, address: str, ttl: int) -> None:
    """Add one A or AAAA record to a name. Raises DnsFailed."""
    _send(server, zone, key, name, lambda update, record: update.add(f"{name}.", ttl, record), address, text=False)


def remove_address(server: Endpoint, zone: str, key: TsigKey, name: str, address: str) -> None:
    """Delete this A or AAAA record; one that is not there is no failure. Raises DnsFailed."""
    _send(server, zone, key, name, lambda update, record: update.delete(f"{name}.", record), address, text=False)


def _send(  # noqa: PLR0913  whom, where, what
    server: Endpoint,
    zone: str,
    key: TsigKey,
    name: str,
    put: Any,  # noqa: ANN401
    value: str,
    *,
    text: bool = True,
) -> None:
    # addresses belong at an apex; a TXT there would stand beside SPF and the like, unless it is a challenge's own zone
    beside = text and name == zone and not name.startswith("_acme-challenge.")
    if beside or not below(name, zone):
        kind = "a TXT" if text else "an address"
        raise DnsFailed("ZoneNotOurs", f"{kind} record at {name} is not written into the zone {zone}")
    what = f"the update of {name}"
    try:
        octets = len(zone) + len(name) + len(key.name) + len(value) + _OVERHEAD
        answer = _exchanged(server, zone, key, put, _txt(value) if text else _address(value), octets)
    except DnsFailed:
        raise
    except Exception as error:  # noqa: BLE001  what a server sends may trip any line of a parser
        raise _told(server, key, what, error) from None
    _judge(server, zone, key, answer, what)


def _txt(value: str) -> Any:  # noqa: ANN401
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.TXT

    raw = value.encode("ascii")
    strings = [raw[start : start + _STRING] for start in range(0, len(raw), _STRING)]
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


def _address(value: str) -> Any:  # noqa: ANN401
    import dns.rdata

    return dns.rdata.from_text("IN", "AAAA" if ":" in value else "A", str(ip_address(value)))


def _exchanged(server: Endpoint, zone: str, key: TsigKey, put: Any, record: Any, octets: int) -> Any:  # noqa: ANN401
    """Send it, by UDP where it fits: a connection for each value costs the primary more than the update itself."""
    import dns.query
    import dns.tsig
    import dns.update

    signer = dns.tsig.Key(f"{key.name}.".replace("..", "."), key.secret.reveal(), f"{key.algorithm}.")
    update = dns.update.UpdateMessage(f"{zone}.", keyring=signer)
    put(update, record)
    where: dict[str, Any] = {"where": server.address, "port": server.port}
    if server not in _BY_TCP and octets <= _UDP_OCTETS:
        try:
            return dns.query.udp(
                update, timeout=_UDP_SECONDS, ignore_unexpected=True, raise_on_truncation=True, **where
            )
        except dns.tsig.PeerError:
            raise
        except Exception:  # noqa: BLE001  whatever came instead, it is asked again by TCP: an update may be done twice
            _BY_TCP.add(server)
    return dns.query.tcp(update, timeout=_SECONDS, **where)


def _judge(server: Endpoint, zone: str, key: TsigKey, answer: Any, what: str) -> None:  # noqa: ANN401
    import dns.rcode

    rcode = dns.rcode.to_text(answer.rcode())
    if rcode == "NOERROR" and answer.had_tsig:
        return
    if rcode == "NOERROR":
        raise DnsFailed("TsigRefused", f"the name server {server} did not sign its answer to {what}: not believed")
    if rcode in {"NOTAUTH", "NOTZONE", "REFUSED"}:
        hints = {
            "NOTAUTH": ("ZoneNotOurs", f"it is not the primary of {zone}, or does not know the key {key.name}"),
            "NOTZONE": ("ZoneNotOurs", f"the name is not in the zone {zone}"),
            "REFUSED": ("DnsRefused", f"it does not let the key {key.name} update such records there"),
        }
        reason, hint = hints[rcode]
        raise DnsFailed(reason, f"the name server {server} refused {what} ({rcode}): {hint}")
    raise DnsFailed("DnsBroken", f"the name server {server} answered {rcode} to {what}")


def _told(server: Endpoint, key: TsigKey, what: str, error: Exception) -> DnsFailed:
    import dns.exception
    import dns.tsig

    start = f"the name server {server} refused {what}"
    if isinstance(error, dns.tsig.PeerBadKey):
        words = f"{start}: it knows no key {key.name} with {key.algorithm}, or does not let it change such records"
        return DnsFailed("TsigRefused", words)
    if isinstance(error, dns.tsig.PeerBadSignature):
        return DnsFailed("TsigRefused", f"{start}: its key {key.name} has another secret or algorithm")
    if isinstance(error, dns.tsig.PeerBadTime):
        return DnsFailed("TsigRefused", f"{start}: its clock and ours differ by over five minutes")
    unsigned = isinstance(error, dns.exception.FormError) and "TSIG" in str(error)
    if unsigned or isinstance(error, dns.tsig.PeerError | dns.tsig.BadSignature | dns.tsig.BadKey):
        return DnsFailed("TsigRefused", f"{start}, or answered without the signature of the key {key.name}")
    return failed(server, what, error)


def _same(one: str, other: str) -> bool:
    return one.lower().removesuffix(".") == other.lower().removesuffix(".")


def _mend(found: str, wanted: str) -> str:
    """Say what the manifest has, be it written there or not, and what to write."""
    usable = found.lower().removesuffix(".")
    if usable not in ALGORITHMS:
        return f"which is not accepted: make a key of {wanted}"
    has = f"has {wanted}, as it does where it says nothing" if wanted == ALGORITHMS[0] else f"says {wanted}"
    return f"the manifest {has}: write `algorithm: {usable}`"


def _refused(name: str, why: str) -> Failed:
    return Failed("TsigRefused", f"the TSIG key {clean(name, 60)} cannot be used: {why}")
