"""Private keys and certificate signing requests."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from reconciler.errors import Failed
from reconciler.model.names import Hostname
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_CURVES: Final = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1}
_MODULI: Final = {"rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}
_CURVE_NAMES: Final = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_LEAST_RSA_BITS: Final = 2048
_KEY_LIMIT: Final = 64 * 1024
_MOST_KNOWN: Final = 100
_spki: dict[bytes, str] = {}


def new_key(key_type: str) -> Secret:
    """Make a private key: PKCS#8 PEM, not encrypted.

    `key_type` is `ecdsa-p256`, `ecdsa-p384`, `rsa-2048`, `rsa-3072` or `rsa-4096`; another one raises ValueError.
    RSA takes time: about 30, 100 and 300 ms.
    """
    made: PrivateKey
    if key_type in _CURVES:
        made = ec.generate_private_key(_CURVES[key_type]())
    elif key_type in _MODULI:
        made = rsa.generate_private_key(public_exponent=65537, key_size=_MODULI[key_type])
    else:
        raise ValueError(f"unknown key type {key_type!r}; known: {', '.join([*_CURVES, *_MODULI])}")
    return Secret(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def make_csr(key: Secret, hostnames: Sequence[str]) -> bytes:
    """Make a signing request (DER, RFC 2986) with an empty subject: names stand in subjectAltName alone.

    `hostnames` are A-labels, perhaps with `*.`, or IP addresses (RFC 8738). Raises Failed(UnreadableKey).
    """
    loaded = load_key(key)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(alt_names(hostnames), critical=False)
    return builder.sign(loaded, digest_for(loaded)).public_bytes(Encoding.DER)


def alt_names(hostnames: Sequence[str]) -> x509.SubjectAlternativeName:
    """Give the subjectAltName of these names: iPAddress for addresses, dNSName for the rest, without repeats."""
    return x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(hostnames)])


def _general_name(text: str) -> x509.GeneralName:
    if not Hostname(text).is_address:  # for a name the try below is dear
        return x509.DNSName(text)
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def load_key(key: Secret) -> PrivateKey:
    """Load a PEM key of ours. RSA numbers are not tested for primality: that takes 30 ms a key and we made them.

    Raises Failed(UnreadableKey), whose message never tells what the text was.
    """
    try:
        loaded = load_pem_private_key(key.reveal()[:_KEY_LIMIT], None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Failed("UnreadableKey", "the private key is not an unencrypted PEM key that we can read") from None
    if isinstance(loaded, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        return loaded
    raise Failed("UnreadableKey", "the private key is neither ECDSA nor RSA")


def digest_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """Pick the hash that fits the key's strength: SHA-384 with P-384, else SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return hashes.SHA384()
    return hashes.SHA256()


def key_type(key: Secret) -> str:
    """Name the algorithm and size of a key of ours. Raises Failed(UnreadableKey)."""
    return key_type_of(load_key(key).public_key())


def key_type_of(key: PublicKeyTypes) -> str:
    """Name a public key's algorithm and size: `ecdsa-p256`, `rsa-2048`; others as `ecdsa-secp521r1`, `other`."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVE_NAMES.get(key.curve.name, f"ecdsa-{key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return "other"


def usable(key: object) -> PublicKey | None:
    """Give a public key back if it may stand in a certificate of ours: P-256, P-384, RSA of 2048 bits or more."""
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_NAMES:
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return key
    return None


def spki_of(key: PublicKeyTypes) -> str:
    """Give the sha256 (hex) of a key's SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7)."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def spki_of_private(key: Secret) -> str:
    """Give the same of a private key's public half. Raises Failed(UnreadableKey).

    An order asks three times, and to load a key takes 0.1 ms: of the last few the answer is known, by a digest of the
    text. No key is kept.
    """
    digest = hashlib.sha256(key.reveal()).digest()
    found = _spki.get(digest)
    if found is None:
        found = spki_of(load_key(key).public_key())
        if len(_spki) >= _MOST_KNOWN:
            _spki.clear()
        _spki[digest] = found
    return found
