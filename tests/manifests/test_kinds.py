from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.kinds.cached import from_json, to_json
from reconciler.manifests.kinds.fields import (
    Share,
    duration_text,
    lookahead_text,
    parse_duration,
    parse_instant,
    parse_lookahead,
    parse_mode,
)
from reconciler.manifests.kinds.parts import SecretRef
from reconciler.manifests.kinds.registry import KINDS, SECRETS, shape_of
from reconciler.manifests.kinds.site import SiteSpec
from reconciler.manifests.kinds.target import NginxSpec
from reconciler.manifests.kinds.validate import Invalid, Resource, validate_document
from reconciler.manifests.kinds.walk import shapes_in
from reconciler.manifests.text.documents import read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifests.kinds.base import Shape

ENVELOPE = "apiVersion: certwright/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"


def outcome(text: str) -> Resource | Invalid:
    (document,) = read_documents(text.encode(), "f.yaml").documents
    return validate_document(document)


def made(kind: str, spec: str) -> Resource:
    resource = outcome(ENVELOPE.format(kind=kind, spec=spec))
    assert isinstance(resource, Resource), resource
    return resource


def refused(text: str) -> Invalid:
    invalid = outcome(text)
    assert isinstance(invalid, Invalid), invalid
    return invalid


GOOD = [
    ("Server", "{}"),
    ("Server", "{email: me@example.com, agreeToTerms: true, hostname: svr1}"),
    ("Server", "{defaults: {issuers: [ca], challenges: [{method: http}], targets: [a, {name: b, values: {k: 1}}]}}"),
    ("Server", "{defaults: {privateKey: {algorithm: rsa-3072}, renewal: {lookahead: 10d}, failover: {after: 1h}}}"),
    ("Issuer", "{type: acme, directory: letsencrypt}"),
    ("Issuer", "{type: acme, directory: 'https://ca.example.com:8443/dir?x=1', caBundle: ca.pem, trust: private}"),
    ("Issuer", "{type: acme, directory: 'http://[::1]:14000/dir', allowInsecure: true}"),
    ("Issuer", "{type: acme, directory: zerossl, eab: {kid: k, hmacKey: {exec: [/usr/bin/pass, zerossl]}}}"),
    ("Issuer", "{type: ca, commonName: Test, lifetime: 20s, certificate: ca.pem, key: {env: CA_KEY}}"),
    ("Issuer", "{type: self-signed, lifetime: 10d}"),
    ("ChallengeMethod", "{type: http-01, webroot: {directory: '/var/www/{hostname}/', mode: '0640', owner: www-data}}"),
    ("ChallengeMethod", "{type: http-01, listener: {address: '[::1]:8402'}}"),
    ("HostnameSet", "{hostnames: [example.com, '*.example.com', bücher.example]}"),
    (
        "Target",
        "{type: nginx, layout: vhost, template: {inline: 'server {}'}, reload: {delay: 0s}, verify: {mode: warn}}",
    ),
    ("Target", "{type: nginx, template: builtin, layout: live}"),
    ("Target", "{type: files, key: '/a/{site}.key', fullchain: {path: '/a/{values.n}', owner: root, mode: '0644'}}"),
    ("Site", "{hostnames: [a.com], profile: null, suspend: true, servers: [s]}"),
    (
        "Site",
        "{hostnameSets: [s], renewal: {reissueIssuedBefore: 2026-05-01}, challenges: [{method: h, domains: [a.com]}]}",
    ),
]


@pytest.mark.parametrize(("kind", "spec"), GOOD)
def test_a_good_object_survives_the_cache(kind: str, spec: str) -> None:
    resource = made(kind, spec)
    assert (resource.kind, resource.name) == (kind, "x")
    assert from_json(to_json(resource)) == resource


BAD = [
    ("Site", "{hostnames: [no]}", 20, "public suffix"),
    ("Site", "{hostnames: [co.uk]}", 20, "public suffix"),
    ("Site", "{hostnames: [a_b.com]}", 20, "a_b.com"),
    ("Site", "{hostnames: [1]}", 20, "put it in quotes"),
    ("Site", "{hostnames: []}", 19, "the list is empty; where nothing is meant, leave the field out"),
    ("Site", "{hostnames: [a.com, a.com]}", 27, "`a.com` stands twice"),
    ("Site", "{hostnames: [a.com], targets: [x, nginx, {name: nginx, values: {a: b}}]}", 48, "`nginx` stands twice"),
    ("Server", "{defaults: {targets: [{name: nginx, values: {a: b}}, nginx]}}", 60, "`nginx` stands twice"),
    ("Site", "{hostnames: a.com}", 19, "write [a.com]"),
    ("Site", "{hostnames: '*.a.com'}", 19, 'write ["*.a.com"]'),
    ("Site", "{hostname: [a.com]}", 8, "unknown field `hostname`: did you mean `hostnames`?"),
    ("Site", "{hostnames: [a.com], private_key: {}}", 28, "did you mean `privateKey`?"),
    ("Site", "{hostnames: [a.com], zzz: 1}", 28, "unknown field `zzz`: known are addressRecords, challenges"),
    ("Site", "{}", 7, "a site needs `hostnames` or `hostnameSets`"),
    ("Site", "[]", 7, "a mapping is expected here, not a list"),
    ("Site", "{hostnames: [a.com], suspend: yes}", 37, "write true"),
    ("Site", "{hostnames: [a.com], suspend: null}", 37, "nothing stands here"),
    ("Site", "{hostnames: [a.com], renewal: {lookahead: 95%}}", 49, "1% to 90%"),
    ("Site", "{hostnames: [a.com], renewal: {lookahead: 33}}", 49, "write 33% or 33d"),
    ("Site", "{hostnames: [a.com], renewal: {lookbehind: 30}}", 50, "write 30s"),
    ("Site", "{hostnames: [a.com], renewal: {lookbehind: 1h30m}}", 50, "is not a duration"),
    ("Site", "{hostnames: [a.com], renewal: {reissueIssuedBefore: soon}}", 59, "is not a time"),
    ("Site", "{hostnames: [a.com], failover: {after: 0s}}", 46, "more than 0"),
    ("Site", "{hostnames: [a.com], failover: {back: later}}", 45, "is not one of atRenewal, never, now"),
    ("Site", "{hostnames: [a.com], privateKey: {algorithm: ecdsa-p265}}", 52, "did you mean `ecdsa-p256`?"),
    ("Site", "{hostnames: [a.com], challenges: [{methd: h}]}", 42, "did you mean `method`?"),
    ("Site", "{hostnames: [a.com], challenges: [{domains: [a.com]}]}", 41, "`method` is missing"),
    ("Site", "{hostnames: [a.com], targets: [Web]}", 38, "`Web` is not a name"),
    ("Server", "{email: 'mailto:a@b.c'}", 15, "without `mailto:`"),
    ("Server", "{email: me}", 15, "is not a mail address"),
    ("Server", "{agreeToTerms: 'yes'}", 22, "write true"),
    ("Server", "{defaults: {target: [a]}}", 19, "did you mean `targets`?"),
    ("Issuer", "{}", 1, "`type` is missing: one of acme, ca, self-signed"),
    ("Issuer", "{typ: acme}", 8, "did you mean `type`?"),
    ("Issuer", "{type: acm}", 14, "did you mean `acme`?"),
    ("Issuer", "{type: [acme]}", 14, "one of acme, ca, self-signed"),
    ("Issuer", "{type: os.path}", 14, "unknown type `os.path`"),
    ("Issuer", "{type: acme}", 1, "`directory` is missing"),
    ("Issuer", "{type: acme, directory: http://ca.example/dir}", 31, "write https://"),
    ("Issuer", "{type: acme, directory: http://ca.example/dir, allowInsecure: true}", 31, "write https://"),
    ("Issuer", "{type: acme, directory: http://127.0.0.1/dir}", 31, "needs `allowInsecure: true`"),
    ("Issuer", "{type: acme, directory: 'https://u:p@ca.example/'}", 31, "user or password"),
    ("Issuer", "{type: acme, directory: 'ftp://ca.example/'}", 31, "is not a URL"),
    ("Issuer", "{type: acme, directory: 'https://ca.example:99999/'}", 31, "is not a URL"),
    ("Issuer", "{type: acme, directory: letsencript}", 31, "did you mean `letsencrypt`?"),
    ("Issuer", "{type: acme, directory: letsencrypt, profileRequired: true}", 61, "needs a `profile`"),
    ("Issuer", "{type: acme, directory: letsencrypt, eab: {kid: k, hmacKey: abcd}}", 67, "a secret never stands"),
    ("Issuer", "{type: acme, directory: letsencrypt, eab: {kid: k, hmacKey: {file: ../k}}}", 67, "write it absolute"),
    ("Issuer", "{type: ca, certificate: a.pem}", 31, "`certificate` needs `key`"),
    ("Issuer", "{type: ca, lifetime: 0d}", 28, "more than 0"),
    ("ChallengeMethod", "{type: http-01}", 7, "exactly one of `webroot` or `listener`"),
    ("ChallengeMethod", "{type: http-01, webroot: {directory: '/w/{site}'}}", 44, "`{site}` has no meaning here"),
    ("ChallengeMethod", "{type: http-01, listener: {port: 0}}", 40, "out of range"),
    ("ChallengeMethod", "{type: http-01, listener: {port: '80'}}", 40, "write 80, without quotes"),
    ("ChallengeMethod", "{type: http-01, listener: {address: 1.2.3.4}}", 43, "an address with a port"),
    ("ChallengeMethod", "{type: http-01, listener: {address: '1.2.3.4:70000'}}", 43, "an address with a port"),
    ("HostnameSet", "{hostnames: [http://a.com]}", 20, "URL"),
    ("Target", "{type: ngnix}", 14, "did you mean `nginx`?"),
    ("Target", "{type: nginx, test: nginx -t}", 27, "write [nginx, -t]"),
    ("Target", "{type: nginx, test: []}", 27, "not an empty list"),
    ("Target", "{type: nginx, test: [sleep, 5]}", 35, "put it in quotes"),
    ("Target", "{type: nginx, test: [../nginx]}", 27, "neither a program's name nor its absolute path"),
    ("Target", "{type: nginx, verify: {ports: [70000]}}", 38, "out of range: at most 65535"),
    ("Target", "{type: nginx, verify: {mode: on}}", 36, "is not one of enforce, warn, off"),
    ("Target", "{type: nginx, verify: {address: a b}}", 39, "neither an IP address nor a hostname"),
    ("Target", "{type: nginx, template: {file: a}}", 31, "`layout: vhost` only"),
    ("Target", "{type: nginx, layout: vhost, template: {file: a, inline: b}}", 46, "exactly one of `file` or `inline`"),
    ("Target", "{type: nginx, layout: vhost, template: mine}", 46, "is no template"),
    ("Target", "{type: nginx, layout: live, defaultSite: x}", 48, "has no effect"),
    ("Target", "{type: nginx, values: {a: 1.5}}", 33, "with a fraction"),
    ("Target", "{type: nginx, values: {a: {b: c}}}", 33, "`a` is a mapping"),
    ("Target", "{type: files}", 7, "at least one of `key`"),
    ("Target", "{type: files, key: {path: /a, mode: 600}}", 43, 'write "0600"'),
    ("Target", "{type: files, key: {path: /a, mode: '0999'}}", 43, "is not a file mode"),
    ("Target", "{type: files, key: {path: /a, owner: a b}}", 44, "a user's or group's name"),
    ("Target", "{type: files, key: '/a/../b'}", 26, "goes upwards"),
    ("Target", "{type: files, key: '/a/{sit}'}", 26, "braces that mean nothing"),
    ("Target", "{type: files, key: /a, chain: /a}", 37, "are the same file"),
]


@pytest.mark.parametrize(("kind", "spec", "column", "message"), BAD)
def test_a_bad_field_is_one_problem_at_its_place(kind: str, spec: str, column: int, message: str) -> None:
    invalid = refused(ENVELOPE.format(kind=kind, spec=spec))
    assert [(problem.line, problem.column) for problem in invalid.problems] == [(4, column)]
    assert message in invalid.problems[0].message
    assert (invalid.kind, invalid.name) == (kind, "x")


ENVELOPES = [
    ("- a\n", 1, 1, "an object is expected here, not a list"),
    ("apiVersion: v1\nkind: Server\nmetadata: {name: x}\nspec: {}\n", 1, 13, "`certwright/v1` is expected"),
    ("apiVersion: certwright/v1\nkind: site\nmetadata: {name: x}\nspec: {}\n", 2, 7, "did you mean `Site`?"),
    ("apiVersion: certwright/v1\nkind: Policy\nmetadata: {name: x}\nspec: {}\n", 2, 7, "unknown kind `Policy`"),
    ("apiVersion: certwright/v1\nkind: [Site]\nmetadata: {name: x}\nspec: {}\n", 2, 7, "known kinds are"),
    ("apiVersion: certwright/v1\nkind: Server\nmetadata: {name: X}\nspec: {}\n", 3, 18, "`X` is not a name"),
    (f"apiVersion: certwright/v1\nkind: Server\nmetadata: {{name: {'x' * 201}}}\nspec: {{}}\n", 3, 18, "at most 200"),
    ("apiVersion: certwright/v1\nkind: Server\nmetadata: {}\nspec: {}\n", 3, 1, "`name` is missing"),
    ("apiVersion: certwright/v1\nkind: Server\nmetadata: {name: 1}\nspec: {}\n", 3, 18, "put it in quotes"),
    ("apiVersion: certwright/v1\nkind: Server\nmetadata: {name: x}\nspec:\n", 4, 6, "a mapping is expected here"),
    ("apiVersion: certwright/v1\nkind: Server\nmetadata: {name: x}\n", 1, 1, "`spec` is missing"),
    ("kind: Server\nmetadata: {name: x}\nspec: {}\n", 1, 1, "`apiVersion` is missing: write `apiVersion: cert"),
    ("apiversion: certwright/v1\nkind: Server\nmetadata: {name: x}\nspec: {}\n", 1, 1, "did you mean `apiVersion`?"),
    (
        "apiVersion: certwright/v1\nkind: Server\nmetadata: {name: x}\nspec: {}\nstatus: {}\n",
        5,
        1,
        "`status` is never read",
    ),
    (
        "apiVersion: certwright/v1\nkind: Server\nmetadata: {name: x}\nspec: {}\nemail: a@b.c\n",
        5,
        1,
        "belongs below `spec`",
    ),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ENVELOPES)
def test_a_bad_envelope_is_one_problem_at_its_place(text: str, line: int, column: int, message: str) -> None:
    (problem,) = refused(text).problems
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


METADATA = [
    ("Site", "annotations: {certwright/renewat: x}", "did you mean `certwright/renewAt`?"),
    ("Site", "annotations: {certwright/prune: yes}", 'takes "disabled" only'),
    ("Site", "annotations: {certwright/allow-trust-loss: true}", "put it in quotes"),
    ("Server", "annotations: {certwright/renewAt: x}", "is for a Site, not for a Server"),
    ("Site", "labels: {tier: 1}", "put it in quotes"),
    ("Site", "labels: {tier: a b}", "is no value of a label"),
    ("Site", "labels: {'a b': c}", "is no name"),
    ("Site", "lables: {}", "did you mean `labels`?"),
]


@pytest.mark.parametrize(("kind", "metadata", "message"), METADATA)
def test_bad_metadata_is_one_problem(kind: str, metadata: str, message: str) -> None:
    spec = "{hostnames: [a.com]}" if kind == "Site" else "{}"
    text = f"apiVersion: certwright/v1\nkind: {kind}\nmetadata: {{name: x, {metadata}}}\nspec: {spec}\n"
    (problem,) = refused(text).problems
    assert problem.line == 3
    assert message in problem.message


def test_a_method_is_not_named_like_a_type() -> None:
    spec = "{type: tls-alpn-01, listener: {port: 443}}"
    text = f"apiVersion: certwright/v1\nkind: ChallengeMethod\nmetadata: {{name: dns-01}}\nspec: {spec}\n"
    (problem,) = refused(text).problems
    assert problem.line == 3
    assert "is the name of a type" in problem.message
    assert isinstance(outcome(text.replace("dns-01", "alpn")), Resource)


def test_annotations_of_others_are_free() -> None:
    text = ENVELOPE.replace("{{name: x}}", "{{name: x, annotations: {{example.com/note: 'any text, at all'}}}}")
    assert isinstance(outcome(text.format(kind="Server", spec="{}")), Resource)


def test_all_problems_of_an_object_are_told_at_once_in_order() -> None:
    invalid = refused(
        "apiVersion: v1\nkind: Site\nmetadata: {name: X}\nspec:\n  hostnames: [a_b.com]\n  hostnam: 1\n  suspend: on\n"
    )
    assert [problem.line for problem in invalid.problems] == [1, 3, 5, 6, 7]


def test_what_is_not_given_can_be_told_from_what_is() -> None:
    spec = made("Site", "{hostnames: [a.com], profile: null, suspend: false}").spec
    assert isinstance(spec, SiteSpec)
    assert spec.gives("suspend")
    assert not spec.gives("profile")
    assert not spec.gives("targets")


def test_a_problem_found_later_points_at_its_line_even_from_the_cache() -> None:
    resource = from_json(to_json(made("Site", "{hostnames: [a.com], issuers: [here, absent]}")))
    problem = resource.problem(("spec", "issuers", 1), "no issuer `absent`")
    assert (problem.line, problem.column, problem.excerpt[:16]) == (4, 44, "spec: {hostnames")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"kind": "Site"}', '{"kind":"Site","spec":[],"source":["f",1,""]}', "[" * 99999]
)
def test_a_broken_cache_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no resource that this version wrote"):
        from_json(text)


def test_every_field_that_holds_a_secret_is_known_as_one() -> None:
    found = set()
    for kind, types in KINDS.items():
        for shape in types.values() if isinstance(types, dict) else (types,):
            found |= {(kind, field) for field in secret_fields(shape)}
    assert found == SECRETS


def secret_fields(shape: type[Shape]) -> Iterator[str]:
    """Give the names, as written, of all fields below `shape` that tell where a secret is."""
    for name, info in shape.model_fields.items():
        for inner in shapes_in(info.annotation):
            if inner is SecretRef:
                yield info.alias or name
            else:
                yield from secret_fields(inner)


def test_defaults_of_a_target() -> None:
    spec = made("Target", "{type: nginx}").spec
    assert isinstance(spec, NginxSpec)
    assert (spec.layout, spec.config_directory, spec.template) == ("snippet", "/etc/nginx/certwright.d", None)
    assert shape_of("Target", "nginx") is NginxSpec
    assert shape_of("Target", None) is None


@given(st.integers(0, 10**9), st.sampled_from("smhd"))
def test_a_duration_written_is_the_duration_read(number: int, unit: str) -> None:
    try:
        duration = parse_duration(f"{number}{unit}")
    except ValueError:
        return
    assert parse_duration(duration_text(duration)) == duration


@given(st.integers(1, 90))
def test_a_share_written_is_the_share_read(percent: int) -> None:
    assert parse_lookahead(lookahead_text(Share(percent))) == Share(percent)


def test_times_are_utc() -> None:
    assert parse_instant("2026-05-01") == datetime(2026, 5, 1, tzinfo=UTC)
    assert parse_instant("2026-05-01T02:00:00+02:00") == datetime(2026, 5, 1, tzinfo=UTC)
    assert parse_lookahead("10d") == timedelta(days=10)
    assert parse_mode("0640") == 0o640
