"""Who signs, resolved. See `model.desired`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from reconciler.model.names import KeyType, Trust
from reconciler.model.references import SecretRef


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """External account binding (RFC 8555 section 7.3.4)."""

    kid: str
    hmac_key: SecretRef


@dataclass(frozen=True, slots=True)
class AcmeIssuer:
    """A CA that speaks ACME. `account` is a name: issuers with the same directory and account share the account."""

    name: str
    trust: Trust
    directory: str
    email: str | None = None
    agree_to_terms: bool = False
    account: str = "default"
    eab: ExternalAccount | None = None
    profile: str | None = None
    profile_required: bool = False
    preferred_chain: str | None = None
    ca_bundle: str | None = None
    allow_insecure: bool = False
    type: Literal["acme"] = "acme"


@dataclass(frozen=True, slots=True)
class CaIssuer:
    """The embedded private CA: made on first use, or brought (`certificate` and `key` both set)."""

    name: str
    trust: Trust
    common_name: str = "certwright private CA"
    lifetime: timedelta = timedelta(days=90)
    algorithm: KeyType = KeyType.ECDSA_P256
    certificate: str | None = None
    key: SecretRef | None = None
    type: Literal["ca"] = "ca"


@dataclass(frozen=True, slots=True)
class SelfSignedIssuer:
    """Each certificate signs itself."""

    name: str
    trust: Trust
    lifetime: timedelta = timedelta(days=90)
    type: Literal["self-signed"] = "self-signed"


@dataclass(frozen=True, slots=True)
class ImportedIssuer:
    """Nobody is asked: each of its sites brings a certificate with its key (`ImportSpec`)."""

    name: str
    trust: Trust
    type: Literal["imported"] = "imported"


IssuerSpec = AcmeIssuer | CaIssuer | SelfSignedIssuer | ImportedIssuer


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """Where a brought certificate and its key stand: `key` and `certificate` (and perhaps `chain`), or `pkcs12`."""

    key: str | None = None
    certificate: str | None = None
    chain: str | None = None
    pkcs12: str | None = None
    passphrase: SecretRef | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Give the files that it rests on, that of the passphrase too."""
        word = self.passphrase.file if self.passphrase is not None else None
        return tuple(path for path in (self.key, self.certificate, self.chain, self.pkcs12, word) if path is not None)

    @property
    def place(self) -> str:
        """Give the file by which people know it."""
        return self.pkcs12 or self.certificate or ""
