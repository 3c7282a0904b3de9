"""Certificates that we sign ourselves: the embedded CA's and self-signed ones (RFC 5280 section 4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.doors.x509.keys import PrivateKey, PublicKey, alt_names, digest_for, load_key, new_key, usable
from reconciler.doors.x509.reading import BAD, load_chain, unreadable
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model.text import Secret

PLACEHOLDER: Final = "certwright placeholder"
_SELF_SIGNED: Final = "certwright self-signed"
# clients whose clocks are late must accept what was signed just now
BACKDATE: Final = timedelta(hours=1)
# RFC 5280 appendix A.1: ub-common-name
_COMMON_NAME_LIMIT: Final = 64


def new_ca(common_name: str, key_type: str, lifetime: timedelta, now: datetime) -> tuple[Secret, bytes]:
    """Make a root CA: its key and its certificate (PEM). `common_name` is cut to 64 characters; `now` is aware.

    Its path length is 0: it signs leaves only.
    """
    secret = new_key(key_type)
    key = load_key(secret)
    name = _name(NameOID.COMMON_NAME, common_name[:_COMMON_NAME_LIMIT])
    builder = _start(name, name, key.public_key(), now - BACKDATE, now + lifetime)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
    return secret, _sign(builder, key)


def sign(
    ca_key: Secret,
    ca_pem: bytes,
    csr_der: bytes,
    hostnames: Sequence[str],
    *,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Sign a server certificate (PEM, the leaf alone) for the key of a request; its names are `hostnames`.

    The names in the request are not looked at. Ends with the CA at the latest. Raises Failed (blame `ca`):
    UnreadableRequest; KeyMismatch if `ca_key` is not the CA's; UnreadableKey, UnreadableCertificate.
    """
    public, key, authority = _requested_key(csr_der), load_key(ca_key), load_chain(ca_pem, "ca")[0]
    try:
        own, subject, latest = authority.public_key(), authority.subject, authority.not_valid_after_utc
        issuer_key = _issuer_key(authority)
    except BAD:
        raise unreadable("a part of the CA's certificate is malformed", "ca") from None
    if own != key.public_key():
        raise Failed("KeyMismatch", "the CA's key does not belong to its certificate", blame="ca")
    builder = _start(x509.Name([]), subject, public, not_before, min(not_after, latest))
    builder = _leaf(builder, public, hostnames, empty_subject=True)
    return _sign(builder.add_extension(issuer_key, critical=False), key)


def self_signed(key: Secret, hostnames: Sequence[str], lifetime: timedelta, now: datetime, *, marker: bool) -> bytes:
    """Make a self-signed server certificate (PEM), valid from an hour ago for `lifetime` from `now`.

    `marker` writes `O=certwright placeholder` into it, so that anyone recognises it. Raises Failed(UnreadableKey).
    """
    loaded = load_key(key)
    name = _name(NameOID.ORGANIZATION_NAME, PLACEHOLDER if marker else _SELF_SIGNED)
    builder = _start(name, name, loaded.public_key(), now - BACKDATE, now + lifetime)
    return _sign(_leaf(builder, loaded.public_key(), hostnames, empty_subject=False), loaded)


def _requested_key(csr_der: bytes) -> PublicKey:
    try:
        request = x509.load_der_x509_csr(csr_der)
        public = usable(request.public_key())
        valid = request.is_signature_valid
    except BAD:
        public, valid = None, False
    if public is None or not valid:
        raise Failed("UnreadableRequest", "the signing request is malformed or its key is not accepted", blame="ca")
    return public


def _name(kind: x509.ObjectIdentifier, text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, text)])


def _start(
    subject: x509.Name, issuer: x509.Name, public: PublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(not_before).not_valid_after(not_after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _leaf(
    builder: x509.CertificateBuilder, public: PublicKey, hostnames: Sequence[str], *, empty_subject: bool
) -> x509.CertificateBuilder:
    # RFC 5280 section 4.2.1.6: where the subject is empty, subjectAltName is critical
    builder = builder.add_extension(alt_names(hostnames), critical=empty_subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    usage = _usage(sign_certificates=False, encipher=isinstance(public, rsa.RSAPublicKey))
    builder = builder.add_extension(usage, critical=True)
    return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)


def _usage(*, sign_certificates: bool, encipher: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        found = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    return builder.sign(key, digest_for(key)).public_bytes(Encoding.PEM)
