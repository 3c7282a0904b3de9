"""tls-alpn-01 (RFC 8737): a proof that our own listener shows in a handshake."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from reconciler.challenges.identity import checked_hostname, checked_token, undo_for
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.challenges.ports import Ports, Published
    from reconciler.model.desired import Listener
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Asked

TYPE: Final = "tls-alpn-01"
_PREFIX: Final = "tls-alpn-"
_IPV4_REVERSE: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa", re.ASCII)
_IPV6_REVERSE: Final = re.compile(r"((?:[0-9a-f]\.){32})ip6\.arpa", re.ASCII)


def server_name(hostname: str) -> str:
    """Give the name that a CA asks for: the hostname, or of an address its reverse name (RFC 8738 section 6)."""
    with suppress(ValueError):
        return ip_address(hostname).reverse_pointer
    return checked_hostname(hostname)


def identifier(name: str) -> str:
    """Give the hostname or address that a server name stands for."""
    with suppress(ValueError):
        if found := _IPV4_REVERSE.fullmatch(name):
            return str(ip_address(".".join(reversed(found.groups()))))
        if found := _IPV6_REVERSE.fullmatch(name):
            return str(IPv6Address(int(found[1].replace(".", "")[::-1], 16)))
    return name


def published_name(name: str) -> str:
    """Give the name under which the store publishes the proof of a server name: no token of a CA, fit for a path."""
    return _PREFIX + hashlib.sha256(name.encode()).hexdigest()


class TlsAlpnSolver:
    """Publishes proofs in the store; whichever certwright process holds the port shows them."""

    def __init__(self, way: Listener, published: Published, ports: Ports) -> None:
        self._way, self._published, self._ports = way, published, ports

    def prepare(self, site: str, hostname: str, token: str, asked: Asked | None = None) -> Undo:  # noqa: ARG002  the token says all
        """Tell what will be published. Raises Failed: BadToken, HostnameUnfit."""
        thing = undo_for("alpn", site, "", published_name(server_name(hostname)))
        return replace(thing, value=checked_token(token))

    def present(self, thing: Undo, key_authorization: str) -> Undo:
        """Publish the proof, then make sure that a certwright process listens.

        Raises Failed: PortTaken, PortNotAllowed, PortUnusable.
        """
        port = self._ports.get(self._way.address, self._way.port, TYPE)
        with port.publishing():
            self._published.put_token(thing.name, key_authorization)
        port.ensure()
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:
        """A proof is there as soon as it is published."""


def withdraw(published: Published, thing: Undo) -> None:
    """Take a proof away, if it is still ours: another order for the same name may have put its own in its place."""
    name = checked_token(thing.name)
    content = published.token(name)
    if content is not None and content.startswith(f"{thing.value}.".encode()):
        published.drop_token(name)


def check_listener(way: Listener, hostname: str, key_authorization: str) -> None:
    """Shake hands with our own listener as the CA will. Raises Failed(SelfTestFailed)."""
    from reconciler.doors import x509
    from reconciler.doors.tls import handshake

    address = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(way.address, way.address)  # noqa: S104
    place = f"{address or ''} port {way.port}"
    try:
        peer = handshake(address or "", way.port, server_name(hostname), timeout=2.0, alpn="acme-tls/1")
    except Failed as failure:
        raise Failed(
            "SelfTestFailed", f"our own listener at {place} does not answer for {hostname}: {failure}"
        ) from None
    names, proof = x509.challenge_shown(peer.chain_der[0])
    fits = proof == hashlib.sha256(key_authorization.encode()).digest() and names == (hostname,)
    if not fits or peer.alpn != "acme-tls/1":
        raise Failed("SelfTestFailed", f"something else than our listener answers at {place} for {hostname}")
