"""The kinds and their types: the one table from which documents are validated and schemas made."""

from typing import Final

from reconciler.manifests.kinds.base import Shape
from reconciler.manifests.kinds.challenge_method import Http01Spec, TlsAlpn01Spec
from reconciler.manifests.kinds.dns_method import Dns01Spec, DnsAccount01Spec, DnsPersist01Spec
from reconciler.manifests.kinds.hostname_set import HostnameSetSpec
from reconciler.manifests.kinds.issuer import AcmeSpec, CaSpec, ImportedSpec, SelfSignedSpec
from reconciler.manifests.kinds.server import ServerSpec
from reconciler.manifests.kinds.site import SiteSpec
from reconciler.manifests.kinds.target import (
    ApacheSpec,
    DovecotSpec,
    ExecSpec,
    FilesSpec,
    HaproxySpec,
    NginxSpec,
    PostfixSpec,
)

API_VERSION: Final = "certwright/v1"

IssuerKind = AcmeSpec | CaSpec | SelfSignedSpec | ImportedSpec
TargetKind = ApacheSpec | DovecotSpec | HaproxySpec | NginxSpec | PostfixSpec | FilesSpec | ExecSpec
MethodKind = Http01Spec | TlsAlpn01Spec | Dns01Spec | DnsAccount01Spec | DnsPersist01Spec
Spec = ServerSpec | IssuerKind | MethodKind | HostnameSetSpec | TargetKind | SiteSpec

KINDS: Final[dict[str, type[Spec] | dict[str, type[Spec]]]] = {
    "Server": ServerSpec,
    "Issuer": {"acme": AcmeSpec, "ca": CaSpec, "self-signed": SelfSignedSpec, "imported": ImportedSpec},
    "ChallengeMethod": {
        "http-01": Http01Spec,
        "tls-alpn-01": TlsAlpn01Spec,
        "dns-01": Dns01Spec,
        "dns-account-01": DnsAccount01Spec,
        "dns-persist-01": DnsPersist01Spec,
    },
    "HostnameSet": HostnameSetSpec,
    "Target": {
        "apache": ApacheSpec,
        "nginx": NginxSpec,
        "haproxy": HaproxySpec,
        "dovecot": DovecotSpec,
        "postfix": PostfixSpec,
        "files": FilesSpec,
        "exec": ExecSpec,
    },
    "Site": SiteSpec,
}
"""Each kind's shape, or its shapes by `type`."""

METHOD_TYPES: Final = frozenset({"http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01"})
"""Every type of challenge that has a name, in use here or not: no ChallengeMethod may be called so."""

SUMMARIES: Final = {
    "Server": "The machine, and what every site inherits.",
    "Issuer": "Who signs.",
    "ChallengeMethod": "How control of a name is proven.",
    "HostnameSet": "Names that several sites share.",
    "Target": "Where a certificate is put to use.",
    "Site": "What must hold: one certificate, and where it is served.",
}

SECRETS: Final = frozenset(
    {
        ("ChallengeMethod", "credentials"),
        ("ChallengeMethod", "options"),
        ("ChallengeMethod", "secret"),
        ("Issuer", "hmacKey"),
        ("Issuer", "key"),
        ("Site", "passphrase"),
    }
)
"""Kind and name of each field that tells where a secret is; what stands in one is never quoted."""


def shape_of(kind: str, type_: str | None) -> type[Shape] | None:
    """Give the shape of a kind and type, None if there is none."""
    known = KINDS.get(kind)
    if isinstance(known, dict):
        return known.get(type_ or "")
    return known
