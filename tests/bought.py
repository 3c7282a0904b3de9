"""A CA that sells certificates, for tests: leaf, intermediate and root, in every form in which a person gets them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from reconciler.model.text import Secret

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Party:
    """A key and its certificate; `above` issued it."""

    key: Key
    certificate: x509.Certificate
    above: Party | None = None

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """The sha256 of the certificate."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def key_pem(self, passphrase: bytes | None = None, encoding: Encoding = Encoding.PEM) -> Secret:
        """The key as PKCS#8."""
        how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return Secret(self.key.private_bytes(encoding, PrivateFormat.PKCS8, how))

    def bag(self, passphrase: bytes) -> bytes:
        """All of it as PKCS#12, the root first."""
        over = [self.above.certificate] if self.above else []
        over = [self.above.above.certificate, *over] if self.above and self.above.above else over
        how = BestAvailableEncryption(passphrase)
        return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, over, how)

    def put(self, directory: Path) -> Path:
        """Write `key.pem`, `cert.pem` and `chain.pem`, each by a rename, as a careful person does."""
        directory.mkdir(parents=True, exist_ok=True)
        over = self.above.pem if self.above else b""
        for name, data in (("key.pem", self.key_pem().reveal()), ("cert.pem", self.pem), ("chain.pem", over)):
            (directory / "new").write_bytes(data)
            (directory / "new").replace(directory / name)
        return directory


def made(
    *names: str,
    above: Party | None = None,
    ca: bool = False,
    days: float = 90,
    born: float = 1,
    now: datetime | None = None,
    key: Key | None = None,
) -> Party:
    """Make a party: valid from `born` days before `now` for `days` days after it; a leaf has its names as SAN."""
    own: Key = key or ec.generate_private_key(ec.SECP256R1())
    now = now or datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = x509.CertificateBuilder().subject_name(subject).public_key(own.public_key())
    builder = builder.issuer_name(above.certificate.subject if above else subject)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - born * DAY)
    builder = builder.not_valid_after(now + days * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not ca:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    return Party(own, builder.sign(above.key if above else own, hashes.SHA256()), above)


def seller(now: datetime | None = None, born: float = 400, days: float = 3000) -> Party:
    """Make an intermediate CA under a root."""
    root = made("Seller Root", ca=True, now=now, born=born, days=days)
    return made("Seller CA", above=root, ca=True, now=now, born=born, days=days)
