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


IssuerSpec = AcmeIssuer | CaIssuer | SelfSignedIssuer
