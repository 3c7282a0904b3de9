from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft7Validator

from reconciler.manifests.kinds.cached import from_json, to_json
from reconciler.manifests.kinds.shapes import spec_schema
from reconciler.manifests.kinds.validate import Invalid, Resource, validate_document
from reconciler.manifests.resolving.specs import ObjectResolver
from reconciler.manifests.text.documents import read_documents
from reconciler.model import plain
from reconciler.model.desired import (
    AcmeDns,
    Dns01,
    DnsMethod,
    ExecProvider,
    Lexicon,
    LexiconOption,
    Rfc2136,
    SecretRef,
    Tsig,
)
from reconciler.model.observed import Undo

TSIG = "tsig: {name: certwright, secret: {file: tsig.key}}"
RFC2136 = f"provider: {{type: rfc2136, server: '127.0.0.1:53', {TSIG}}}"
LITERAL = "hunter2-CANARY"


def read(spec: str) -> Resource | Invalid:
    text = f"apiVersion: certwright/v1\nkind: ChallengeMethod\nmetadata: {{name: zone}}\nspec: {spec}\n"
    (document,) = read_documents(text.encode(), "/etc/tree/f.yaml").documents
    return validate_document(document)


def method(spec: str) -> DnsMethod:
    resource = read(spec)
    assert isinstance(resource, Resource), resource
    assert from_json(to_json(resource)) == resource, "the cache gives back what was read"
    problems: list[Any] = []
    made = ObjectResolver(None, lambda _path: None, problems).method(resource)
    assert isinstance(made, DnsMethod)
    assert plain.from_plain(type(made), plain.to_plain(made)) == made, "the store gives back what was kept"
    hash(made)
    return made


def provider(spec: str) -> Any:  # noqa: ANN401  any of the union
    made = method(f"{{type: dns-01, provider: {spec}}}")
    assert isinstance(made, Dns01)
    undo = Undo("id", "site", "txt", "one.test", "_acme-challenge.one.test", value="x", provider=made.provider)
    assert plain.from_plain(Undo, plain.to_plain(undo)) == undo
    return made.provider


def said(spec: str) -> str:
    invalid = read(spec)
    assert isinstance(invalid, Invalid), invalid
    return " | ".join(f"{problem} {problem.excerpt}" for problem in invalid.problems)


def test_defaults() -> None:
    made = method(f"{{type: dns-01, {RFC2136}}}")
    assert (made.ttl, made.follow_cname, made.cname_targets, made.resolvers) == (30, False, (), ())
    wait = made.propagation
    assert (wait.mode, wait.timeout, wait.interval, wait.nameservers) == (
        "enforce",
        timedelta(minutes=2),
        timedelta(seconds=2),
        (),
    )


def test_each_provider() -> None:
    tsig = Tsig("certwright", "hmac-sha256", SecretRef("/etc/tree/tsig.key"))
    assert provider(f"{{type: rfc2136, server: '[::1]:5353', zone: One.Test., {TSIG}}}") == Rfc2136(
        "[::1]:5353", tsig, "one.test"
    )
    assert provider("{type: exec, command: [/usr/local/bin/hook, x], timeout: 5s}") == ExecProvider(
        ("/usr/local/bin/hook", "x"), timedelta(seconds=5)
    )
    assert provider("{type: acme-dns, url: 'https://dns.example.com', credentials: {env: C}}") == AcmeDns(
        "https://dns.example.com", SecretRef(env="C")
    )
    options = "{auth_token: {file: /etc/token}, zone_id: abc}"
    assert provider(f"{{type: lexicon, name: cloudflare, options: {options}}}") == Lexicon(
        "cloudflare",
        (LexiconOption("auth_token", secret=SecretRef("/etc/token")), LexiconOption("zone_id", text="abc")),
    )
    assert provider("{type: manual}").type == "manual"


@pytest.mark.parametrize("type_", ["dns-account-01", "dns-persist-01"])
def test_the_other_ways(type_: str) -> None:
    assert method(f"{{type: {type_}, {RFC2136}, propagation: {{mode: enforce}}}}").name == "zone"
    if type_ == "dns-persist-01":
        assert method("{type: dns-persist-01}").name == "zone"
        assert method("{type: dns-persist-01, propagation: {mode: off}}").name == "zone"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{type: dns-01}", "`provider` is missing"),
        ("{type: dns-01, provider: {type: rfc2137}}", "did you mean `rfc2136`?"),
        ("{type: dns-01, provider: {type: rfc2136, server: '127.0.0.1:53'}}", "needs `tsig`"),
        (f"{{type: dns-01, provider: {{type: rfc2136, server: ns1, {TSIG}}}}}", "is not an address with a port"),
        (f"{{type: dns-01, provider: {{type: exec, command: [x], {TSIG}}}}}", "`tsig` is not a field of"),
        ("{type: dns-01, provider: {type: lexicon, name: os.path}}", "dns-lexicon has no provider `os.path`"),
        ("{type: dns-01, provider: {type: lexicon, name: cloudflair}}", "cloudflare"),
        ("{type: dns-01, provider: {type: exec, command: rm -rf}}", "a command is a list of words"),
        ("{type: dns-01, provider: {type: manual}, propagation: {mode: off}}", "`mode` must be enforce"),
        ("{type: dns-persist-01, propagation: {mode: warn}}", "`mode` must be enforce or off"),
        ("{type: dns-01, provider: {type: manual}, ttl: 30s}", "a whole number"),
        ("{type: dns-01, provider: {type: acme-dns, url: 'http://dns.example.com', credentials: {env: C}}}", "https"),
        (f"{{type: dns-01, {RFC2136}, propagation: {{nameservers: [ns1]}}}}", "is not an address with a port"),
        (f"{{type: dns-01, {RFC2136}, propagation: {{timeout: 0s}}}}", "more than 0"),
        (f"{{type: dns-01, {RFC2136}, cnameTargets: ['*.x']}}", "is not a domain name"),
    ],
)
def test_what_is_wrong_is_told(spec: str, words: str) -> None:
    assert words in said(spec)


@pytest.mark.parametrize("algorithm", ["hmac-md5", "hmac-md5.sig-alg.reg.int", "hmac-sha1", "hmac-sha224", "none"])
def test_weak_algorithms_are_refused(algorithm: str) -> None:
    tsig = f"tsig: {{name: k, algorithm: {algorithm}, secret: {{env: K}}}}"
    words = said(f"{{type: dns-01, provider: {{type: rfc2136, server: '127.0.0.1:53', {tsig}}}}}")
    assert "use one of hmac-sha256, hmac-sha384, hmac-sha512" in words
    assert f"`{algorithm}` is not taken" in words


def test_what_may_be_a_key_in_the_place_of_its_algorithm_is_not_quoted() -> None:
    tsig = "tsig: {name: k, algorithm: hmac-c2VjcmV0, secret: {env: K}}"
    words = said(f"{{type: dns-01, provider: {{type: rfc2136, server: '127.0.0.1:53', {tsig}}}}}")
    assert "a text of 13 characters is not taken" in words
    assert "c2VjcmV0" not in words


@pytest.mark.parametrize(
    "provider_",
    [
        f"{{type: rfc2136, server: '127.0.0.1:53', tsig: {{name: k, secret: {LITERAL}}}}}",
        f"{{type: acme-dns, url: 'https://a.example', credentials: {LITERAL}}}",
        f"{{type: lexicon, name: cloudflare, options: {{auth_token: {LITERAL}}}}}",
        f"{{type: lexicon, name: cloudflare, options: {{auth_token: {{fil: {LITERAL}}}}}}}",
        f"{{type: lexicon, name: cloudflare, options: {LITERAL}}}",
    ],
)
def test_a_secret_in_a_manifest_is_refused_and_never_shown(provider_: str) -> None:
    assert LITERAL not in said(f"{{type: dns-01, provider: {provider_}}}")


def test_the_schema_takes_what_is_taken() -> None:
    check = Draft7Validator(spec_schema("ChallengeMethod"))
    good: dict[str, Any] = {
        "type": "dns-01",
        "provider": {
            "type": "lexicon",
            "name": "cloudflare",
            "options": {"auth_token": {"file": "/etc/token"}, "zone_id": "x"},
        },
        "propagation": {"mode": "warn", "nameservers": ["127.0.0.1:53"]},
    }
    assert list(check.iter_errors(good)) == []
    for bad in ({"type": "manual", "url": "https://x"}, {"type": "rfc2136"}, {"type": "nothing"}):
        assert list(check.iter_errors({**good, "provider": bad}))


def test_the_resolvers_of_the_server_are_the_default() -> None:
    text = (
        "apiVersion: certwright/v1\nkind: Server\nmetadata: {name: home}\nspec: {resolvers: ['192.0.2.1:53']}\n---\n"
        "apiVersion: certwright/v1\nkind: ChallengeMethod\nmetadata: {name: zone}\n"
        "spec: {type: dns-01, provider: {type: manual}}\n---\n"
        "apiVersion: certwright/v1\nkind: ChallengeMethod\nmetadata: {name: own}\n"
        "spec: {type: dns-01, provider: {type: manual}, resolvers: ['192.0.2.2:53']}\n"
    )
    server, *methods = [validate_document(one) for one in read_documents(text.encode(), "/etc/tree/f.yaml").documents]
    assert isinstance(server, Resource), server
    resolver = ObjectResolver(server.spec, lambda _path: None, [])  # type: ignore[arg-type]  # the kind says so
    made = [resolver.method(one) for one in methods if isinstance(one, Resource)]
    assert [getattr(one, "resolvers", None) for one in made] == [("192.0.2.1:53",), ("192.0.2.2:53",)]
