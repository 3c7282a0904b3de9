"""How control of a name is proven, resolved. See `model.desired`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from reconciler.model.names import Switch
from reconciler.model.references import SecretRef


@dataclass(frozen=True, slots=True)
class Webroot:
    """http-01 by files under `DIRECTORY/.well-known/acme-challenge/`; `{hostname}` in `directory` is the name."""

    directory: str
    mode: int = 0o644
    owner: str | None = None
    builtin: bool = False
    type: Literal["webroot"] = "webroot"


@dataclass(frozen=True, slots=True)
class Listener:
    """http-01 or tls-alpn-01 by our own listener. `address` is an IP address, None for all of both families."""

    port: int
    address: str | None = None
    type: Literal["listener"] = "listener"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is looked at before a CA is asked: whether a name points at this machine, whether CAA allows the issuer."""

    points_here: Switch = Switch.WARN
    caa: Switch = Switch.WARN


@dataclass(frozen=True, slots=True)
class Http01:
    """A way to prove control by http-01 (RFC 8555 section 8.3). `self_test`: whether we fetch our own answer first."""

    name: str
    way: Webroot | Listener
    self_test: Switch = Switch.WARN
    preflight: Preflight = field(default_factory=Preflight)
    type: Literal["http-01"] = "http-01"


@dataclass(frozen=True, slots=True)
class TlsAlpn01:
    """A way to prove control by tls-alpn-01 (RFC 8737), by our own listener."""

    name: str
    way: Listener
    self_test: Switch = Switch.WARN
    preflight: Preflight = field(default_factory=Preflight)
    type: Literal["tls-alpn-01"] = "tls-alpn-01"


@dataclass(frozen=True, slots=True)
class Tsig:
    """The key that signs updates (RFC 8945). `algorithm` is hmac-sha256, -sha384 or -sha512."""

    name: str
    algorithm: str
    secret: SecretRef


@dataclass(frozen=True, slots=True)
class Rfc2136:
    """Signed updates (RFC 2136) at the primary `server`, `ADDRESS:PORT`. Without `zone` the server is asked for it."""

    server: str
    tsig: Tsig
    zone: str | None = None
    type: Literal["rfc2136"] = "rfc2136"


@dataclass(frozen=True, slots=True)
class ExecProvider:
    """A command that gets JSON on its standard input."""

    command: tuple[str, ...]
    timeout: timedelta = timedelta(minutes=1)
    zone: str | None = None
    type: Literal["exec"] = "exec"


@dataclass(frozen=True, slots=True)
class AcmeDns:
    """An acme-dns server at `url`. `credentials` is JSON: those of one account, or of several by domain."""

    url: str
    credentials: SecretRef
    ca_bundle: str | None = None
    type: Literal["acme-dns"] = "acme-dns"


@dataclass(frozen=True, slots=True)
class LexiconOption:
    """One option of a lexicon provider: a plain text or a secret."""

    name: str
    text: str | None = None
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A provider of dns-lexicon by its `name` there."""

    name: str
    options: tuple[LexiconOption, ...] = ()
    zone: str | None = None
    type: Literal["lexicon"] = "lexicon"


@dataclass(frozen=True, slots=True)
class ManualDns:
    """A person publishes what is printed."""

    type: Literal["manual"] = "manual"


DnsProviderSpec = Rfc2136 | ExecProvider | AcmeDns | Lexicon | ManualDns


@dataclass(frozen=True, slots=True)
class Propagation:
    """Waiting until every name server has the record. `nameservers`, `ADDRESS:PORT`, replace those found by NS."""

    mode: Switch = Switch.ENFORCE
    timeout: timedelta = timedelta(minutes=2)
    interval: timedelta = timedelta(seconds=2)
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsMethod:
    """What the ways by DNS share. `cname_targets` are domains below which a followed CNAME may lead anywhere."""

    name: str
    ttl: int = 30
    follow_cname: bool = False
    cname_targets: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    propagation: Propagation = field(default_factory=Propagation)
    preflight: Preflight = field(default_factory=Preflight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns01(DnsMethod):
    """A way to prove control by dns-01 (RFC 8555 section 8.4)."""

    provider: DnsProviderSpec
    type: Literal["dns-01"] = "dns-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAccount01(DnsMethod):
    """dns-account-01: as dns-01, under a name of the ACME account's own (draft-ietf-acme-dns-account-label)."""

    provider: DnsProviderSpec
    type: Literal["dns-account-01"] = "dns-account-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsPersist01(DnsMethod):
    """dns-persist-01: a record that a person publishes once (draft-ietf-acme-dns-persist); never written by us.

    `provider` only tells whose server and zone are asked.
    """

    provider: DnsProviderSpec | None = None
    type: Literal["dns-persist-01"] = "dns-persist-01"


DnsSpec = Dns01 | DnsAccount01 | DnsPersist01
MethodSpec = Http01 | TlsAlpn01 | DnsSpec
