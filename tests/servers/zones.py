"""What the authoritative name servers of the tests share: one TSIG key, a zone file, and questions from a stub."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from tests.servers.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_NAME = "certwright"
ALGORITHM = "hmac-sha256"
SECRET = base64.b64encode(b"a TSIG secret of thirty-two byte").decode()
MINIMUM = 5


def zone_text(zone: str, records: Sequence[str] = (), address: str = LOOPBACK) -> str:
    """Give a zone file; its name server is `ns.ZONE` at `address`. Names in `records` are relative to the zone."""
    lines = [
        f"$ORIGIN {zone}.",
        "$TTL 30",
        f"@ SOA ns hostmaster 1 60 60 3600 {MINIMUM}",
        "@ NS ns",
        f"ns A {address}",
        *records,
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class NameServer:
    """A running authoritative server, for UDP and TCP."""

    address: str
    port: int
    directory: Path

    @property
    def endpoint(self) -> str:
        """`ADDRESS:PORT`, as a manifest has it."""
        return f"{self.address}:{self.port}"

    def query(self, name: str, kind: str = "TXT") -> list[str]:
        """Give what the server says, TXT values joined; nothing where there is nothing."""
        return query(self.address, self.port, name, kind)

    def update(self, zone: str, action: str, name: str, value: str, ttl: int = 30) -> str:
        """Add or delete a TXT value the way another tool would; give the rcode."""
        signer = dns.tsig.Key(f"{KEY_NAME}.", base64.b64decode(SECRET), f"{ALGORITHM}.")
        change = dns.update.UpdateMessage(f"{zone}.", keyring=signer)
        if action == "add":
            change.add(f"{name}.", ttl, "TXT", f'"{value}"')
        else:
            change.delete(f"{name}.", "TXT", f'"{value}"')
        return dns.rcode.to_text(dns.query.tcp(change, self.address, timeout=5, port=self.port).rcode())


def query(address: str, port: int, name: str, kind: str = "TXT") -> list[str]:
    """Ask a server once, recursion desired."""
    question = dns.message.make_query(f"{name}.", kind)
    answer = dns.query.udp(question, address, timeout=2, port=port)
    found = [record for one in answer.answer if one.rdtype == dns.rdatatype.from_text(kind) for record in one]
    return sorted(
        b"".join(record.strings).decode() if kind == "TXT" else record.to_text().removesuffix(".") for record in found
    )


def answers(address: str, port: int, zone: str) -> bool:
    """Tell whether a server gives the SOA of a zone."""
    try:
        return bool(query(address, port, zone, "SOA"))
    except (OSError, dns.exception.DNSException):
        return False
