"""What a certificate says, who made it and how, and whether what is live can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from reconciler.model.names import Trust


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says. `serial` hex; `fingerprint` sha256 of the DER; `spki` sha256 of the public key's DER."""

    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    hostnames: tuple[str, ...]
    key_type: str
    spki: str
    issuer_name: str


@dataclass(frozen=True, slots=True)
class Proven:
    """How control of one name was proven."""

    method: str
    type: str


@dataclass(frozen=True, slots=True)
class RevisionMeta:
    """Who made a revision, how and why. Goes to `meta.json`.

    `requested` are the requests of a person (annotation, `renew`, a certificate that was brought) that it answers:
    known although memory was lost. `account` is the account's URL, `account_name` what the Issuer calls it.
    """

    issuer: str
    trust: Trust
    directory: str | None
    account: str | None
    profile: str | None
    challenges: Mapping[str, Proven]
    spec_digest: str
    reason: str
    at: datetime
    placeholder: bool = False
    requested: tuple[str, ...] = ()
    account_name: str | None = None
    v: int = 1


@dataclass(frozen=True, slots=True)
class Brought:
    """What the files of a site's `import` hold: the certificate's facts, or None and why it cannot be used.

    `chain` is the digest of its intermediates, "" without any.
    """

    facts: CertificateFacts | None
    problem: str = ""
    chain: str = ""

    @property
    def id(self) -> str:
        """Give the name by which a revision's `requested` knows that this certificate was seen."""
        return f"import {self.facts.fingerprint}" if self.facts is not None else ""


@dataclass(frozen=True, slots=True)
class NoRevision:
    """Nothing is live."""

    type: Literal["none"] = "none"


@dataclass(frozen=True, slots=True)
class BrokenRevision:
    """Something is live but cannot be used. `reason` is `Corrupt` or `KeyMismatch`."""

    id: str
    reason: Literal["Corrupt", "KeyMismatch"]
    message: str
    type: Literal["broken"] = "broken"


@dataclass(frozen=True, slots=True)
class Revision:
    """A complete, immutable revision: the pair fits, the chain is there. `chain` is its digest, "" if it is empty."""

    id: str
    facts: CertificateFacts
    meta: RevisionMeta
    type: Literal["revision"] = "revision"
    chain: str = ""


Live = NoRevision | BrokenRevision | Revision


def chain_digest(chain: bytes) -> str:
    """Give what two chains of intermediates (PEM, encoded by us) are compared by: a sha256, "" for none."""
    return hashlib.sha256(chain).hexdigest() if chain else ""
