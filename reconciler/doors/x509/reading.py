"""Certificates as they come from a CA, a disk or a peer: hostile until they are read here."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from reconciler.doors.x509.keys import key_type_of, spki_of
from reconciler.errors import Failed
from reconciler.model.observed import CertificateFacts
from reconciler.model.text import clean

Blame = Literal["local", "ca"]

MOST_CERTIFICATES: Final = 10
MOST_BYTES: Final = 1024 * 1024
_LABEL: Final = re.compile(rb"-----BEGIN ([^\r\n]{0,100}?)-----")
_NAME_LIMIT: Final = 200
_HOSTNAME_LIMIT: Final = 253
# what parsing answers to rubbish: cryptography raises these, and no others, for bytes that are not what they claim
BAD: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)
# what the parser still lets through with a warning on the terminal (a serial number of 0) is refused like the rest
warnings.filterwarnings(
    "error", r"(?s).*(will cause an exception|will be rejected) in a future", CryptographyDeprecationWarning
)
# a private CA with a long name is no business of the terminal's
warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate and what comes with it, leaf first. PEM, encoded by us: no byte of the sender's text is in it."""

    certificate_pem: bytes
    chain_pem: tuple[bytes, ...]
    fullchain_pem: bytes


def facts(pem_or_der: bytes) -> CertificateFacts:
    """Read one certificate (of PEM text: the first). About 50 microseconds.

    Raises Failed(UnreadableCertificate).
    """
    return facts_of(_load(pem_or_der))


@lru_cache(maxsize=64)
def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Read the facts of a certificate that was loaded. Raises Failed(UnreadableCertificate).

    A new one is read as it comes from the CA, again before it is stored and once more where it is installed.
    """
    try:
        key = certificate.public_key()
        return CertificateFacts(
            serial=f"{certificate.serial_number:x}",
            fingerprint=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            hostnames=hostnames_of(certificate),
            key_type=key_type_of(key),
            spki=spki_of(key),
            issuer_name=clean(certificate.issuer.rfc4514_string(), _NAME_LIMIT),
        )
    except BAD:
        raise unreadable("a part of the certificate is malformed", "local") from None


def issuer_common_names(pem_or_der: bytes) -> tuple[str, ...]:
    """Give the common names of who signed a certificate, as they stand in it: to compare, not to show.

    Raises Failed(UnreadableCertificate).
    """
    try:
        attributes = _load(pem_or_der).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    except BAD:
        raise unreadable("the name of its issuer is malformed", "local") from None
    return tuple(one.value for one in attributes if isinstance(one.value, str))


def hostnames_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the names in subjectAltName: lower case and cleaned, then addresses. The CN is not asked (RFC 9525)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    domains = [clean(name.lower(), _HOSTNAME_LIMIT) for name in names.get_values_for_type(x509.DNSName)]
    return (*domains, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def read_chain(pem: bytes, *, blame: Blame = "ca") -> Chain:
    """Read leaf and intermediates and encode them anew; text around the blocks is dropped.

    Raises Failed(UnreadableCertificate): over 1 MiB, none or more than ten certificates, any other kind of block.
    """
    encoded = tuple(certificate.public_bytes(Encoding.PEM) for certificate in load_chain(pem, blame))
    return Chain(encoded[0], encoded[1:], b"".join(encoded))


def load_chain(pem: bytes, blame: Blame) -> list[x509.Certificate]:
    """Load every certificate of PEM text, leaf first. Raises Failed(UnreadableCertificate)."""
    if len(pem) > MOST_BYTES:
        raise unreadable(f"over {MOST_BYTES} bytes", blame)
    labels = _LABEL.findall(pem)
    if any(label != b"CERTIFICATE" for label in labels):
        raise unreadable("something other than certificates is among the PEM blocks", blame)
    if not 1 <= len(labels) <= MOST_CERTIFICATES:
        raise unreadable(f"{len(labels)} certificates; from 1 to {MOST_CERTIFICATES} were expected", blame)
    try:
        loaded = x509.load_pem_x509_certificates(pem)
    except BAD:
        raise unreadable("a PEM block is not a certificate", blame) from None
    if len(loaded) != len(labels):
        raise unreadable("a PEM block has no end", blame)
    return loaded


def _load(pem_or_der: bytes) -> x509.Certificate:
    if len(pem_or_der) > MOST_BYTES:
        raise unreadable(f"over {MOST_BYTES} bytes", "local")
    try:
        # a DER certificate is a SEQUENCE: 0x30, which in text would be the digit 0
        if pem_or_der[:1] == b"\x30":
            return x509.load_der_x509_certificate(pem_or_der)
        return x509.load_pem_x509_certificate(pem_or_der)
    except BAD:
        raise unreadable("neither PEM nor DER of a certificate", "local") from None


def unreadable(why: str, blame: Blame) -> Failed:
    """Make the failure that all readers raise."""
    return Failed("UnreadableCertificate", f"the certificate cannot be read: {why}", blame=blame)
