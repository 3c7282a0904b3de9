"""What must hold: the resolved meaning of the manifests, every default filled in. Made by `manifests.resolve` alone.

These values go to disk as JSON (`model.plain`), so fields are scalars, enums, timedeltas, tuples, mappings and
dataclasses; members of a union carry a `type`. Its parts stand in `issuers`, `methods`, `targets` and `references`, and
are imported from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reconciler.model.issuers import (
    AcmeIssuer,
    CaIssuer,
    ExternalAccount,
    ImportedIssuer,
    ImportSpec,
    IssuerSpec,
    SelfSignedIssuer,
)
from reconciler.model.methods import (
    AcmeDns,
    Dns01,
    DnsAccount01,
    DnsMethod,
    DnsPersist01,
    DnsProviderSpec,
    DnsSpec,
    ExecProvider,
    Http01,
    Lexicon,
    LexiconOption,
    Listener,
    ManualDns,
    MethodSpec,
    Preflight,
    Propagation,
    Rfc2136,
    TlsAlpn01,
    Tsig,
    Webroot,
)
from reconciler.model.names import Hostname, KeyType
from reconciler.model.references import Place, SecretRef, Value, Values
from reconciler.model.targets import (
    ApacheTarget,
    DovecotTarget,
    ExecTarget,
    FileRule,
    FilesTarget,
    HaproxyTarget,
    NginxTarget,
    PostfixTarget,
    Reload,
    StartTls,
    StartTlsProtocol,
    TargetBase,
    TargetSpec,
    Template,
    Verify,
    directory_of,
    has_outside,
)

__all__ = [  # the whole language of resolved manifests, whichever module holds a part
    "AcmeDns",
    "AcmeIssuer",
    "AddressRecords",
    "ApacheTarget",
    "CaIssuer",
    "DesiredSite",
    "Dns01",
    "DnsAccount01",
    "DnsMethod",
    "DnsPersist01",
    "DnsProviderSpec",
    "DnsSpec",
    "DovecotTarget",
    "ExecProvider",
    "ExecTarget",
    "ExternalAccount",
    "Failover",
    "FileRule",
    "FilesTarget",
    "HaproxyTarget",
    "Http01",
    "ImportSpec",
    "ImportedIssuer",
    "IssuerSpec",
    "KeySpec",
    "Lexicon",
    "LexiconOption",
    "Listener",
    "Machine",
    "ManualDns",
    "MethodSpec",
    "NginxTarget",
    "Place",
    "PostfixTarget",
    "Preflight",
    "Propagation",
    "Reload",
    "Renewal",
    "Rfc2136",
    "SecretRef",
    "SelfSignedIssuer",
    "StartTls",
    "StartTlsProtocol",
    "TargetBase",
    "TargetSpec",
    "TargetUse",
    "Template",
    "TlsAlpn01",
    "Tsig",
    "Value",
    "Values",
    "Verify",
    "Webroot",
    "directory_of",
    "has_outside",
]


@dataclass(frozen=True, slots=True)
class TargetUse:
    """A site's use of a target; `values` are the site's own, over the target's."""

    spec: TargetSpec
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The private key of the certificate."""

    algorithm: KeyType = KeyType.ECDSA_P256
    rotation: Literal["always", "reuse"] = "always"


@dataclass(frozen=True, slots=True)
class Renewal:
    """When to renew. `lookahead` is a share of the lifetime in percent (int) or a time before the end."""

    lookahead: int | timedelta = 33
    lookbehind: timedelta = timedelta(days=30)
    reissue_issued_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failover:
    """When the next issuer in the list takes over, and when the first one is tried again."""

    after: timedelta = timedelta(hours=24)
    back: Literal["atRenewal", "never", "now"] = "atRenewal"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that names should point at. `addresses` None: its global addresses, looked at when they are needed.

    `hostname` is "" where the Server declares none; `resolvers`, `ADDRESS:PORT`, replace those of the system.
    """

    hostname: str = ""
    addresses: tuple[str, ...] | None = None
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressRecords:
    """Who publishes A and AAAA records of the machine's addresses for a site's names. `ttl` in seconds."""

    method: DnsSpec
    ttl: int = 300


@dataclass(frozen=True, slots=True)
class DesiredSite:
    """One site, resolved. `methods[hostname]` are tried in order. `digest` covers all that changes what is done."""

    name: str
    hostnames: tuple[Hostname, ...]
    issuers: tuple[IssuerSpec, ...]
    methods: Mapping[str, tuple[MethodSpec, ...]]
    targets: tuple[TargetUse, ...] = ()
    server: str = ""
    key: KeySpec = field(default_factory=KeySpec)
    renewal: Renewal = field(default_factory=Renewal)
    failover: Failover = field(default_factory=Failover)
    profile: str | None = None
    preferred_chain: str | None = None
    suspend: bool = False
    on_name_failure: Literal["dropLate", "fail", "drop"] = "dropLate"
    stop_at: Literal["challenges"] | None = None
    machine: Machine = field(default_factory=Machine)
    address_records: AddressRecords | None = None
    brought: ImportSpec | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    digest: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Give the hostnames as text, in the order declared."""
        return tuple(hostname.text for hostname in self.hostnames)
