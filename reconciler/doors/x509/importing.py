"""A certificate that a person brings, with its key: read in whatever form it comes, put in order, and checked.

PEM with any line ends, DER, keys with a passphrase, PKCS#12. The certificates may come in any order, with the root or
without. What comes out is PEM of our own encoding, leaf first and without the root. The leaf's own dates and names are
not judged here: they depend on the time and on what is declared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from reconciler.doors.x509.checking import check_chain, issued_by
from reconciler.doors.x509.keys import spki_of, usable
from reconciler.doors.x509.reading import BAD, MOST_BYTES, MOST_CERTIFICATES, facts_of
from reconciler.errors import Failed
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from reconciler.model.observed import CertificateFacts

INVALID: Final = "ImportInvalid"
_WEAK: Final = frozenset({"md5", "sha1"})
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class BroughtPair:
    """A pair that fits, in order: key as PKCS#8 PEM without passphrase, leaf, and intermediates (maybe none)."""

    key: Secret
    certificate: bytes
    chain: bytes
    facts: CertificateFacts


class Flawed(Failed):
    """What was brought cannot be used. `of`: the key, the file of certificates with this number, or how both fit."""

    def __init__(self, why: str, of: Literal["key", "fit"] | int | None = None) -> None:
        """Take the sentence's end."""
        super().__init__(INVALID, f"what was brought cannot be used: {why}")
        self.of = of


def read_pair(
    key: Secret, certificates: Sequence[bytes], now: datetime, passphrase: Secret | None = None
) -> BroughtPair:
    """Read a key and the files of its certificates. Raises Flawed, which never quotes the key."""
    loaded = [one for number, data in enumerate(certificates) for one in _certificates(data, number)]
    return _checked(_key(key, passphrase), loaded, now)


def read_pkcs12(data: Secret, now: datetime, passphrase: Secret | None = None) -> BroughtPair:
    """Read a PKCS#12 file (RFC 7292). Raises Flawed."""
    try:
        bag = load_pkcs12(_bounded(data.reveal(), None), passphrase.reveal() if passphrase else None)
    except BAD:
        raise Flawed("it is no PKCS#12 file, or the passphrase is not its own") from None
    if bag.key is None or bag.cert is None:
        raise Flawed(f"the PKCS#12 file holds no {'key' if bag.key is None else 'certificate of that key'}")
    return _checked(bag.key, [bag.cert.certificate, *(one.certificate for one in bag.additional_certs)], now)


def _certificates(data: bytes, number: int) -> list[x509.Certificate]:
    try:
        if _CERTIFICATE.search(_bounded(data, number)):
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except BAD:
        raise Flawed("a file is no certificate in PEM or DER", number) from None


def _key(key: Secret, passphrase: Secret | None) -> PrivateKeyTypes:
    data, secret = _bounded(key.reveal(), "key"), passphrase.reveal() if passphrase else None
    block = _KEY.search(data)  # of a file that holds certificates or parameters as well, the key alone
    try:
        return load_pem_private_key(block[0] + b"\n", secret) if block else load_der_private_key(data, secret)
    except TypeError:
        words = "has a passphrase, and none was given" if secret is None else "has no passphrase, but one was given"
        raise Flawed(f"the private key {words}", "key") from None
    except BAD:
        raise Flawed("the private key cannot be read, or the passphrase is not its own", "key") from None


def _checked(key: PrivateKeyTypes, loaded: list[x509.Certificate], now: datetime) -> BroughtPair:
    if len(loaded) > MOST_CERTIFICATES:
        raise Flawed(f"{len(loaded)} certificates; at most {MOST_CERTIFICATES} are taken")
    if usable(key.public_key()) is None:
        why = "the key is none that a server should use: ECDSA P-256 or P-384, or RSA of 2048 bits or more"
        raise Flawed(why, "key")
    chain = _ordered(list(dict.fromkeys(loaded)), spki_of(key.public_key()))
    try:
        facts = facts_of(chain[0])
        check_chain(chain, now)
    except Failed as failure:
        raise Flawed(str(failure)) from None
    if not facts.hostnames:
        raise Flawed("the certificate has no subjectAltName, so no client takes it")
    pem = [one.public_bytes(Encoding.PEM) for one in chain]
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return BroughtPair(Secret(plain), pem[0], b"".join(pem[1:]), facts)


def _ordered(loaded: list[x509.Certificate], spki: str) -> list[x509.Certificate]:
    """Begin with the key's certificate, then who issued each; a root is left out, a stranger is refused."""
    try:
        leaf = next((one for one in loaded if spki_of(one.public_key()) == spki), None)
    except BAD:
        raise Flawed("the key of a certificate cannot be read") from None
    if leaf is None:
        raise Flawed(f"the key is for none of the {len(loaded)} certificates", "fit")
    # before the links are looked at: what is signed so is no longer verified by any library
    if any(_is_weak(one) for one in loaded if one == leaf or one.issuer != one.subject):
        raise Flawed("a certificate is signed by way of MD5 or SHA-1, which no client takes")
    chain, rest = [leaf], [one for one in loaded if one != leaf]
    while (above := next((one for one in rest if issued_by(chain[-1], one)), None)) is not None:
        rest.remove(above)
        chain.append(above)
    if rest:
        raise Flawed(f"{len(rest)} of the certificates do not belong to the chain")
    return chain[:-1] if len(chain) > 1 and chain[-1].issuer == chain[-1].subject else chain


def _is_weak(certificate: x509.Certificate) -> bool:
    try:
        digest = certificate.signature_hash_algorithm
    except BAD:
        return False
    return digest is not None and digest.name in _WEAK


def _bounded(data: bytes, of: Literal["key"] | int | None) -> bytes:
    if len(data) > MOST_BYTES:
        raise Flawed(f"a file of over {MOST_BYTES} bytes", of)
    return data
