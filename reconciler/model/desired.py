"""What must hold: the resolved meaning of the manifests, every default filled in. Made by `manifests.resolve` alone.

These values go to disk as JSON (`model.plain`), so fields are scalars, enums, timedeltas, tuples, mappings and dataclasses;
members of a union carry a `type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from reconciler.model.names import Hostname, KeyType, Part, Switch, Trust

Value = str | int | bool | tuple[str | int | bool, ...]
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands; `line` and `column` from 1."""

    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is found, never the secret. Exactly one of the three is set."""

    file: str | None = None
    env: str | None = None
    exec: tuple[str, ...] | None = None


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
    """A way to prove control by http-01 (RFC 8555 section 8.3). `self_test`: fetch our own answer before the CA does."""

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


@dataclass(frozen=True, slots=True)
class Reload:
    """How a server takes up new files. `delay` is the least time between two reloads under the watch loop."""

    command: tuple[str, ...] | None = None
    delay: timedelta = timedelta(minutes=2)


StartTlsProtocol = Literal["imap", "pop3", "smtp"]


@dataclass(frozen=True, slots=True)
class StartTls:
    """A port where TLS begins after a command of a protocol: RFC 9051 (imap), RFC 2595 (pop3), RFC 3207 (smtp)."""

    port: int
    protocol: StartTlsProtocol


@dataclass(frozen=True, slots=True)
class Verify:
    """Where the served certificate is looked at; only `enforce` counts for Ready.

    `ports` are all of them; `starttls` tells which of them speak another protocol before TLS.
    """

    address: str = "127.0.0.1"
    ports: tuple[int, ...] = ()
    mode: Switch = Switch.ENFORCE
    starttls: tuple[StartTls, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A configuration template, read when the manifests were. `name` is `builtin`, a path, or `inline`."""

    name: str = "builtin"
    text: str | None = None


@dataclass(frozen=True, slots=True)
class FileRule:
    """One file of a `files` target; `path` may hold `{site}`, `{hostname}`, `{server}`, `{values.KEY}`."""

    part: Part
    path: str
    mode: int
    owner: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetBase:
    """What all targets have."""

    name: str
    test: tuple[str, ...] | None = None
    reload: Reload = field(default_factory=Reload)
    verify: Verify = field(default_factory=Verify)
    existing: Literal["refuse", "adopt"] = "refuse"
    placeholder: bool = True
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxTarget(TargetBase):
    """nginx: we own whole files in `config_directory`, which the user's configuration includes once."""

    layout: Literal["snippet", "vhost", "live"] = "snippet"
    config_directory: str = "/etc/nginx/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    type: Literal["nginx"] = "nginx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApacheTarget(TargetBase):
    """Apache httpd 2.4: as nginx, whole files in `config_directory`; the user has the `Listen` lines."""

    layout: Literal["snippet", "vhost", "live"] = "snippet"
    config_directory: str = "/etc/apache2/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    type: Literal["apache"] = "apache"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaproxyTarget(TargetBase):
    """HAProxy 2.6 or later: `config_directory` holds `SITE.pem` and `crt-list.txt`; `socket` is of level admin."""

    config_directory: str = "/etc/haproxy/certwright.d"
    socket: str | None = None
    default_site: str | None = None
    type: Literal["haproxy"] = "haproxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DovecotTarget(TargetBase):
    """Dovecot: whole files in `config_directory`, with `local_name` blocks that name what is live."""

    config_directory: str = "/etc/dovecot/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    type: Literal["dovecot"] = "dovecot"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesTarget(TargetBase):
    """Plain files anywhere, and a command that makes their reader take them up."""

    files: tuple[FileRule, ...] = ()
    type: Literal["files"] = "files"


TargetSpec = ApacheTarget | DovecotTarget | HaproxyTarget | NginxTarget | FilesTarget


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
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    digest: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Give the hostnames as text, in the order declared."""
        return tuple(hostname.text for hostname in self.hostnames)
