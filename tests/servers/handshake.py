"""A TLS client: what a server shows for a name."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.servers.ports import LOOPBACK

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Served:
    """The leaf certificate that a handshake showed. `fingerprint` is SHA-256 over DER in lower-case hex."""

    fingerprint: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime
    serial: int
    issuer: str
    der: bytes


def handshake(
    port: int,
    sni: str | None,
    *,
    address: str = LOOPBACK,
    roots: Path | None = None,
    alpn: tuple[str, ...] = (),
    timeout: float = 10,
) -> Served:
    """Connect and give the leaf. With `roots` (a PEM file) chain and name must verify; without, anything is taken."""
    context = _context(roots)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with (
        socket.create_connection((address, port), timeout=timeout) as plain,
        context.wrap_socket(plain, server_hostname=sni) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return describe(x509.load_der_x509_certificate(der))


def _context(roots: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if roots is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(roots)
    return context


def describe(certificate: x509.Certificate) -> Served:
    """Give the facts of a certificate that tests compare."""
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = frozenset(alternative.get_values_for_type(x509.DNSName)) | {
            str(ip) for ip in alternative.get_values_for_type(x509.IPAddress)
        }
    except x509.ExtensionNotFound:
        names = frozenset()
    return Served(
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        names=names,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        serial=certificate.serial_number,
        issuer=certificate.issuer.rfc4514_string(),
        der=certificate.public_bytes(Encoding.DER),
    )
