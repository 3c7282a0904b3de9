"""Each field of each kind changes what its sites mean, so that no option can be there that does nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest

from reconciler.manifests.kinds.base import Shape
from reconciler.manifests.kinds.dns_provider import NEEDED, Provider
from reconciler.manifests.kinds.registry import KINDS
from reconciler.manifests.kinds.validate import Invalid, Resource, validate_document
from reconciler.manifests.meaning import Meaning
from reconciler.manifests.reading import FileReading
from reconciler.manifests.settings import Settings
from reconciler.manifests.text.documents import Document
from reconciler.manifests.text.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[tuple[str, str], dict[str, Any]]

WEB: Final = {
    "test": ["/bin/true"],
    "reload.command": ["/bin/true"],
    "reload.delay": "7s",
    "verify.address": "192.0.2.7",
    "verify.ports.port": ("verify.ports", [{"port": 8443}]),
    "verify.ports.starttls": ("verify.ports", [{"port": 443, "starttls": "imap"}], {"verify": {"ports": [443]}}),
    "verify.mode": "warn",
    "existing": "adopt",
    "placeholder": False,
    "values": {"k": "v"},
}
OWN: Final = {
    "configDirectory": "/srv/conf",
    "template.file": ("template", {"file": "/srv/template"}),
    "template.inline": ("template", {"inline": "x"}),
    "defaultSite": "one",
}
HTTPD: Final = {**WEB, **OWN, "layout": "snippet"}
TSIG: Final = {"name": "k", "secret": {"file": "/s"}}
RFC2136: Final = {"type": "rfc2136", "server": "192.0.2.1:53", "tsig": TSIG}
PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "rfc2136": RFC2136,
    "exec": {"type": "exec", "command": ["/bin/false"]},
    "acme-dns": {"type": "acme-dns", "url": "https://a.example.com", "credentials": {"file": "/s"}},
    "lexicon": {"type": "lexicon", "name": "cloudflare", "options": {}},
    "manual": {"type": "manual"},
}
PREFLIGHT: Final = {"preflight.pointsHere": "off", "preflight.caa": "off"}
SECRET: Final = {".file": {"file": "/other"}, ".env": {"env": "X"}, ".exec": {"exec": ["/bin/true"]}}


def secret(path: str) -> dict[str, Any]:
    return {f"{path}{form}": (path, given) for form, given in SECRET.items()}


def provided(type_: str, name: str, other: object) -> tuple[str, object, dict[str, Any]]:
    """The field of one type of provider, in a method that has it."""
    given = {**PROVIDERS[type_], name: other}
    return ("provider", given, {"provider": PROVIDERS[type_]})


PROVIDER: Final = {
    "provider.type": ("provider", {"type": "manual"}),
    "provider.server": provided("rfc2136", "server", "192.0.2.2:53"),
    "provider.tsig.name": provided("rfc2136", "tsig", {**TSIG, "name": "other"}),
    "provider.tsig.algorithm": provided("rfc2136", "tsig", {**TSIG, "algorithm": "hmac-sha512"}),
    **{f"provider.tsig.secret{form}": provided("rfc2136", "tsig", {**TSIG, "secret": g}) for form, g in SECRET.items()},
    "provider.zone": provided("rfc2136", "zone", "example.com"),
    "provider.command": provided("exec", "command", ["/bin/true"]),
    "provider.timeout": provided("exec", "timeout", "5s"),
    "provider.url": provided("acme-dns", "url", "https://b.example.com"),
    **{f"provider.credentials{form}": provided("acme-dns", "credentials", given) for form, given in SECRET.items()},
    "provider.caBundle": provided("acme-dns", "caBundle", "/srv/ca.pem"),
    "provider.name": provided("lexicon", "name", "hetzner"),
    **{f"provider.options{form}": provided("lexicon", "options", {"a": given}) for form, given in SECRET.items()},
}
DNS: Final = {
    "ttl": 60,
    "followCname": True,
    "cnameTargets": ["example.net"],
    "resolvers": ["192.0.2.9:53"],
    "propagation.mode": "warn",
    "propagation.timeout": "9s",
    "propagation.interval": "9s",
    "propagation.nameservers": ["192.0.2.9:53"],
    **PREFLIGHT,
    **PROVIDER,
}
LISTENER: Final = {
    "listener.port": ("listener", {"port": 81}),
    "listener.address": ("listener", {"address": "[::1]:9"}),
}
EAB: Final = {"kid": "j", "hmacKey": {"file": "/s"}}
RECORDS: Final = {"provider": "dns"}
PAIR: Final = {"key": {"file": "/k"}, "certificate": "/c"}
BAG: Final = {"pkcs12": {"file": "/p"}}
IMPORTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (("key", PAIR), ("pkcs12", BAG))
SETTINGS: Final = {
    "privateKey.algorithm": "rsa-2048",
    "privateKey.rotation": "reuse",
    "renewal.lookahead": "5d",
    "renewal.lookbehind": "5d",
    "renewal.reissueIssuedBefore": "2026-01-01",
    "failover.after": "5h",
    "failover.back": "never",
    "onNameFailure": "drop",
    "issuers": ["ca", "acme"],
    "challenges.method": ("challenges", [{"method": "dns"}]),
    "challenges.hostnames": ("challenges", [{"method": "dns", "hostnames": ["a.b.example.com"]}, {"method": "http"}]),
    "challenges.domains": ("challenges", [{"method": "dns", "domains": ["example.com"]}, {"method": "http"}]),
    "challenges.hostnameSets": (
        *("challenges", [{"method": "dns", "hostnameSets": ["set"]}, {"method": "http"}]),
        {"hostnames": ["b.example.com"], "challenges": [{"method": "http"}]},
    ),
    "challenges.preflight.pointsHere": ("challenges", [{"method": "http", "preflight": {"pointsHere": "off"}}]),
    "challenges.preflight.caa": ("challenges", [{"method": "http", "preflight": {"caa": "off"}}]),
    "targets.name": ("targets", ["files"]),
    "targets.values": ("targets", [{"name": "files", "values": {"k": 2}}], {"targets": ["files"]}),
}

OTHER: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("Server", ""): {
        "hostname": "other",
        "email": "other@example.com",
        "agreeToTerms": True,
        "addresses": ["192.0.2.77"],
        "resolvers": ["192.0.2.9:53"],
        **{
            f"defaults.{path}": (f"defaults.{row[0]}", row[1]) if isinstance(row, tuple) else row
            for path, row in SETTINGS.items()
        },
        "defaults.targets.values": (
            "defaults.targets",
            [{"name": "files", "values": {"k": 2}}],
            {"defaults": {"targets": ["files"]}},
        ),
    },
    ("Issuer", "acme"): {
        "directory": "https://other.example.com/",
        "email": "other@example.com",
        "agreeToTerms": True,
        "account": "other",
        "eab.kid": ("eab", {"kid": "k", "hmacKey": {"file": "/s"}}),
        **{
            f"eab.hmacKey{form}": ("eab", {"kid": "j", "hmacKey": given}, {"eab": EAB})
            for form, given in SECRET.items()
        },
        "profile": "other",
        "profileRequired": ("profileRequired", True, {"profile": "one"}),
        "preferredChain": "Other Root",
        "caBundle": "/srv/ca.pem",
        "allowInsecure": True,
        "trust": "private",
    },
    ("Issuer", "ca"): {
        "commonName": "other",
        "lifetime": "5d",
        "algorithm": "rsa-2048",
        "certificate": ("certificate", "/other", {"certificate": "/one", "key": {"file": "/s"}}),
        **{
            f"key{form}": ("key", given, {"certificate": "/one", "key": {"file": "/s"}})
            for form, given in SECRET.items()
        },
        "trust": "public",
    },
    ("Issuer", "self-signed"): {"lifetime": "5d", "trust": "public"},
    ("Issuer", "imported"): {"trust": "private"},
    ("ChallengeMethod", "http-01"): {
        "webroot.directory": "/srv/other",
        "webroot.mode": "0640",
        "webroot.owner": "root",
        "listener.port": ("listener", {"port": 81}, {"webroot": None, "listener": {"port": 80}}),
        "listener.address": ("listener", {"address": "[::1]:80"}, {"webroot": None, "listener": {"port": 80}}),
        "selfTest": "off",
        **PREFLIGHT,
    },
    ("ChallengeMethod", "tls-alpn-01"): {**LISTENER, "selfTest": "off", **PREFLIGHT},
    ("ChallengeMethod", "dns-01"): DNS,
    ("ChallengeMethod", "dns-account-01"): DNS,
    ("ChallengeMethod", "dns-persist-01"): {**DNS, "propagation.mode": "off"},
    ("HostnameSet", ""): {"hostnames": ["c.example.com"]},
    ("Target", "apache"): HTTPD,
    ("Target", "nginx"): HTTPD,
    ("Target", "dovecot"): {**WEB, **OWN},
    ("Target", "haproxy"): {**WEB, "configDirectory": "/srv/conf", "socket": "/run/s", "defaultSite": "one"},
    ("Target", "postfix"): {
        **WEB,
        "configDirectory": "/srv/conf", "postmap": ["/bin/true"], "defaultSite": "one",
    },
    ("Target", "exec"): {**WEB, "install": ["/bin/true"]},
    ("Target", "files"): {
        **WEB,
        **{
            f"{part}.{name}": (part, {"path": f"/srv/{part}", name: other}, {part: f"/srv/{part}"})
            for part in ("key", "certificate", "chain", "fullchain", "combined")
            for name, other in (("path", "/srv/o"), ("owner", "root"), ("group", "root"), ("mode", "0640"))
        },
    },
    ("Site", ""): {
        "hostnames": ["c.example.com"],
        "hostnameSets": ["set"],
        "servers": ["other"],
        "profile": "other",
        "preferredChain": "Other Root",
        "stopAt": "challenges",
        "addressRecords.provider": ("addressRecords", RECORDS),
        "addressRecords.ttl": ("addressRecords", {**RECORDS, "ttl": 9}, {"addressRecords": RECORDS}),
        "import.key.file": ("import", {**PAIR, "key": {"file": "/o"}}, {"import": PAIR}),
        "import.certificate": ("import", {**PAIR, "certificate": "/o"}, {"import": PAIR}),
        "import.chain": ("import", {**PAIR, "chain": "/o"}, {"import": PAIR}),
        "import.pkcs12.file": ("import", {"pkcs12": {"file": "/o"}}, {"import": BAG}),
        **{
            f"import.{part}.passphrase{form}": (
                *("import", {**before, part: {**before[part], "passphrase": given}}),
                {"import": before},
            )
            for part, before in IMPORTS
            for form, given in SECRET.items()
        },
        "suspend": True,
        **SETTINGS,
    },
}  # fmt: skip
"""For each kind and type, each field's path and another value for it; where a field does not stand alone: the path that
is set, its value, and what stands there before."""

BASES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("Server", ""): {},
    ("Issuer", "acme"): {"directory": "https://acme.example.com/"},
    ("Issuer", "ca"): {},
    ("Issuer", "self-signed"): {},
    ("Issuer", "imported"): {},
    ("ChallengeMethod", "http-01"): {"webroot": {"directory": "/srv/web"}},
    ("ChallengeMethod", "tls-alpn-01"): {"listener": {"port": 443}},
    ("ChallengeMethod", "dns-01"): {"provider": RFC2136},
    ("ChallengeMethod", "dns-account-01"): {"provider": RFC2136},
    ("ChallengeMethod", "dns-persist-01"): {"provider": RFC2136},
    ("HostnameSet", ""): {"hostnames": ["b.example.com"]},
    ("Target", "apache"): {"layout": "vhost"},
    ("Target", "nginx"): {"layout": "vhost"},
    ("Target", "dovecot"): {},
    ("Target", "haproxy"): {},
    ("Target", "postfix"): {},
    ("Target", "exec"): {"install": ["/bin/false"]},
    ("Target", "files"): {"key": "/srv/key"},
    ("Site", ""): {"hostnames": ["a.b.example.com"]},
}


def shapes() -> Iterator[tuple[str, str, type[Shape]]]:
    for kind, known in KINDS.items():
        if isinstance(known, dict):
            yield from ((kind, type_, shape) for type_, shape in known.items())
        else:
            yield kind, "", known


def _inner(annotation: object) -> Iterator[type[Shape]]:
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
    for part in get_args(annotation):
        yield from _inner(part)


def paths(shape: type[Shape], prefix: str = "") -> Iterator[str]:
    """Every field that a manifest may have; a mapping's fields instead of the mapping."""
    for name, info in shape.model_fields.items():
        path = f"{prefix}{info.alias or name}"
        inner = list(_inner(info.annotation))
        for one in inner:
            yield from paths(one, f"{path}.")
        if not inner and path != "type":
            yield path


def tree_of(kind: str, type_: str, spec: dict[str, Any]) -> Tree:
    """A tree in which sites refer to one object of each kind; the one that is looked at has this spec."""
    tree: Tree = {
        ("Server", "here"): {},
        ("Server", "other"): {},
        ("Issuer", "acme"): {"type": "acme", **BASES["Issuer", "acme"]},
        ("ChallengeMethod", "dns"): {"type": "dns-01", "provider": RFC2136},
        ("HostnameSet", "set"): BASES["HostnameSet", ""],
        ("Target", "files"): {"type": "files", "key": "/srv/{site}/key"},
    }
    site: dict[str, Any] = {"hostnames": ["a.b.example.com", "b.example.com"], "servers": ["here"]}
    name = {"Server": "here", "HostnameSet": "set"}.get(kind, "looked-at")
    if kind == "Site":
        site |= {**spec, "servers": spec.get("servers", ["here"])}
    else:
        tree[kind, name] = {**({"type": type_} if type_ else {}), **spec}
    uses = {"Issuer": ("issuers", [name]), "Target": ("targets", [name]), "HostnameSet": ("hostnameSets", [name])}
    if kind in uses:
        site[uses[kind][0]] = uses[kind][1]
    if type_ == "imported":
        site["import"] = PAIR
    if kind == "ChallengeMethod":
        site |= {"issuers": ["acme"], "challenges": [{"method": name}]}
    if kind == "HostnameSet":
        del site["hostnames"]
    tree["Site", "one"] = site
    return tree


def document(kind: str, name: str, spec: object, **metadata: object) -> Document:
    data: Any = {"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
    return Document(copy.deepcopy(data), Source("/f.yaml", 0, ""))


def resource_of(kind: str, name: str, spec: object, **metadata: object) -> Resource:
    """A valid object of a tree."""
    made = validate_document(document(kind, name, spec, **metadata))
    assert isinstance(made, Resource), made.problems
    return made


def digests(tree: Tree, **metadata: object) -> dict[str, str]:
    """What the sites of the Server `here` mean, by name."""
    resources = tuple(resource_of(kind, name, spec, **metadata) for (kind, name), spec in tree.items())
    settings = Settings(roots=("/",), server="here", read_template=lambda path: f"text of {path}")
    meaning = Meaning(settings, [FileReading("/f.yaml", resources)])
    meaning.resolve()
    assert not meaning.problems
    return {name: site.digest for name, site in meaning.sites.items()}


def put(spec: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The spec with a value at a dotted path."""
    head, _, rest = path.partition(".")
    return {**spec, head: put(spec.get(head) or {}, rest, value) if rest else value}


ROWS: Final = [(kind, type_, path) for kind, type_, shape in shapes() for path in dict.fromkeys(paths(shape))]


def test_the_walk_finds_the_fields() -> None:
    assert ("Site", "", "challenges.preflight.caa") in ROWS
    assert ("ChallengeMethod", "dns-01", "provider.tsig.secret.exec") in ROWS
    assert len(ROWS) > 200


@pytest.mark.parametrize(("kind", "type_", "path"), ROWS, ids=[f"{k}-{t}-{p}" for k, t, p in ROWS])
def test_a_field_changes_what_the_site_means(kind: str, type_: str, path: str) -> None:
    """If this fails with KeyError: the field is new; give another value for it above."""
    row = OTHER[kind, type_][path]
    at, value, before = (row if len(row) == 3 else (*row, {})) if isinstance(row, tuple) else (path, row, {})
    base = {key: item for key, item in {**BASES[kind, type_], **before}.items() if item is not None}
    changed = put(base, at, value)
    assert digests(tree_of(kind, type_, base)) != digests(tree_of(kind, type_, changed))


def test_the_table_has_no_more_than_there_is() -> None:
    assert {(kind, type_, path) for (kind, type_), rows in OTHER.items() for path in rows} == set(ROWS)


def test_marks_and_notes_are_no_part_of_it() -> None:
    """Labels are a person's own; what annotations ask for is read beside the digest, so that it is done once."""
    tree = tree_of("Site", "", BASES["Site", ""])
    assert digests(tree) == digests(tree, labels={"a": "b"}, annotations={"note": "x"})


@pytest.mark.parametrize(("type_", "field"), [(t, f) for t, (must, may) in NEEDED.items() for f in (*must, *may)])
def test_a_field_of_a_provider_changes_what_the_site_means(type_: str, field: str) -> None:
    others = {"zone": "example.org", "timeout": "5s", "caBundle": "/srv/ca.pem", "options": {"a": "b"}}
    base = PROVIDERS[type_]
    rows = {path.split(".")[1]: row for path, row in PROVIDER.items() if path != "provider.type"}
    other = others.get(field) or rows[field][1][field]  # type: ignore[index]  # a row that `provided` made
    trees = (tree_of("ChallengeMethod", "dns-01", {"provider": given}) for given in (base, {**base, field: other}))
    first, second = map(digests, trees)
    assert first != second


def test_every_type_of_provider_is_looked_at() -> None:
    (known,) = (get_args(info.annotation) for name, info in Provider.model_fields.items() if name == "type")
    assert set(known) == set(NEEDED) == set(PROVIDERS)


@pytest.mark.parametrize("type_", ["apache", "nginx"])
@pytest.mark.parametrize("layout", ["snippet", "live"])
def test_a_default_site_where_it_would_do_nothing_is_refused(type_: str, layout: str) -> None:
    spec = {"type": type_, "layout": layout, "defaultSite": "one"}
    refused = validate_document(document("Target", "web", spec))
    assert isinstance(refused, Invalid)
    assert "has no effect: remove it" in refused.problems[0].message
