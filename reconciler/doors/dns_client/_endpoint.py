"""Where a name server listens."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from reconciler.errors import Failed

PORT: Final = 53


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An address and a port, for UDP and TCP."""

    address: str
    port: int = PORT

    def __str__(self) -> str:
        """Give the address, with the port where it is not 53."""
        if self.port == PORT:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `127.0.0.1:53`, `[::1]:53`, or an address alone; ValueError if it is neither."""
    try:
        return Endpoint(str(ip_address(text)))
    except ValueError:
        address, _, port = text.rpartition(":")
        return Endpoint(str(ip_address(address.removeprefix("[").removesuffix("]"))), int(port))


def system_resolvers() -> tuple[Endpoint, ...]:
    """Give the resolvers of /etc/resolv.conf. Raises Failed(NoResolver)."""
    import dns.exception
    import dns.resolver

    try:
        found = dns.resolver.Resolver()
        servers = tuple(Endpoint(str(ip_address(str(server))), found.port) for server in found.nameservers)
    except (dns.exception.DNSException, OSError, ValueError):
        servers = ()
    if not servers:
        raise Failed("NoResolver", "/etc/resolv.conf names no resolver; write `resolvers: [ADDRESS:PORT]`")
    return servers
