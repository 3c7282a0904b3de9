"""TXT records by signed updates (RFC 2136) at the zone's primary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed

if TYPE_CHECKING:
    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import Rfc2136 as Spec


class Rfc2136:
    """Adds and deletes single values. The key is read for each update and kept nowhere."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self._spec, self._means = spec, means
        self._server = dns.parse_endpoint(spec.server)

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Add a value. Raises Failed."""
        try:
            dns.add_txt(self._server, zone, self._key(), name, value, ttl)
        except dns.DnsFailed as failure:
            if failure.reason == "TsigRefused" and self._is_elsewhere(zone):
                # it signs no answer about what is not its own
                words = f"the name server {self._server} has no zone {zone}, where {name} belongs: it leads elsewhere"
                raise dns.DnsFailed("ZoneNotOurs", words) from None
            raise

    def remove(self, zone: str, name: str, value: str) -> None:
        """Delete this value. Raises Failed, unless the server says that it does not have it: as one it refused."""
        try:
            dns.remove_txt(self._server, zone, self._key(), name, value)
        except Failed:
            if not self._lacks(name, value):
                raise

    def _lacks(self, name: str, value: str) -> bool:
        try:
            answer = dns.ask(self._server, name, "TXT")
        except dns.DnsFailed:
            return False
        known = answer.authoritative and answer.rcode in {"NOERROR", "NXDOMAIN"} and answer.alias is None
        return answer.referral is not None or (known and value not in answer.records)

    def _is_elsewhere(self, zone: str) -> bool:
        """Tell whether the server itself says that others have the zone."""
        try:
            return dns.ask(self._server, zone, "SOA").referral is not None
        except dns.DnsFailed:
            return False

    def add_address(self, zone: str, name: str, address: str, ttl: int) -> None:
        """Add an A or AAAA record. Raises Failed."""
        dns.add_address(self._server, zone, self._key(), name, address, ttl)

    def remove_address(self, zone: str, name: str, address: str) -> None:
        """Delete this A or AAAA record. Raises Failed."""
        dns.remove_address(self._server, zone, self._key(), name, address)

    def _key(self) -> dns.TsigKey:
        tsig = self._spec.tsig
        secret = self._means.read_secret(tsig.secret, "tsig.secret")
        return dns.parse_key_file(tsig.name, tsig.algorithm, secret)
