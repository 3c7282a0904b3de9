"""The certificate that proves control of a name in a handshake (RFC 8737 section 3)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from reconciler.doors.x509.keys import alt_names, digest_for, load_key, new_key
from reconciler.doors.x509.reading import BAD

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.text import Secret

ACME_IDENTIFIER: Final = "1.3.6.1.5.5.7.1.31"
# DER: an OCTET STRING of 32 bytes
_OCTETS: Final = b"\x04\x20"
_LIFETIME: Final = timedelta(days=7)


def challenge_certificate(hostname: str, key_authorization: bytes, now: datetime) -> tuple[Secret, bytes]:
    """Make a key and a self-signed certificate (PEM) for `hostname`, a name or an address (RFC 8738 section 6).

    It says by the critical extension acmeIdentifier what the key authorization is, and is good for nothing else.
    """
    secret = new_key("ecdsa-p256")
    key = load_key(secret)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ACME challenge")])
    proof = x509.UnrecognizedExtension(
        x509.ObjectIdentifier(ACME_IDENTIFIER), _OCTETS + hashlib.sha256(key_authorization).digest()
    )
    builder = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(alt_names([hostname]), critical=False)
        .add_extension(proof, critical=True)
    )
    return secret, builder.sign(key, digest_for(key)).public_bytes(Encoding.PEM)


def challenge_shown(certificate_der: bytes) -> tuple[tuple[str, ...], bytes | None]:
    """Give the names of a certificate that a listener showed, and the digest in its critical acmeIdentifier, if any.

    One that cannot be read has neither.
    """
    try:
        loaded = x509.load_der_x509_certificate(certificate_der)
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = loaded.extensions.get_extension_for_oid(x509.ObjectIdentifier(ACME_IDENTIFIER))
    except (*BAD, x509.ExtensionNotFound):
        return (), None
    value = found.value.value if isinstance(found.value, x509.UnrecognizedExtension) else b""
    proof = value[len(_OCTETS) :] if found.critical and value.startswith(_OCTETS) else None
    texts = (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))
    return texts, proof
