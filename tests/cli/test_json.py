"""What every verb prints with -o json, against the schema that describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import jsonschema
import pytest
from click.testing import CliRunner

from reconciler.cli.group import VERBS
from reconciler.cli.group import program as certwright
from reconciler.doors import x509
from reconciler.model.orders import AccountRecord
from reconciler.report.output_schemas import output_schemas
from reconciler.wiring import Options, build
from tests.bought import made, seller

if TYPE_CHECKING:
    from tests.program import Program

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "v1"
LISTED = ("sites", "certificates", "issuers", "targets", "challengemethods", "hostnamesets", "servers", "accounts")
OF_STAGES = ("challenges", "solve", "request")  # they need a CA of ACME: tests/journeys/test_stages.py
MORE = """\
apiVersion: certwright/v1
kind: ChallengeMethod
metadata: {name: hook, labels: {a: b}}
spec: {type: http-01, webroot: {directory: /srv/www}}
---
apiVersion: certwright/v1
kind: HostnameSet
metadata: {name: many}
spec: {hostnames: [a.test]}
---
apiVersion: certwright/v1
kind: Issuer
metadata: {name: acme}
spec: {type: acme, directory: "https://ca.example/directory"}
"""
READERS = [
    *(("list", "get", kind) for kind in (*LISTED, "holds", "events")),
    ("item", "describe", "site", "example"),
    ("item", "describe", "site", "held"),
    ("item", "describe", "target", "nginx"),
    ("item", "describe", "issuer", "acme"),
    ("item", "describe", "challengemethod", "hook"),
    ("item", "describe", "hostnameset", "many"),
    ("item", "describe", "server", "home"),
    ("item", "wait", "site/example"),
    ("item", "wait", "site/held", "--timeout", "0s"),
    ("item", "wait", "site/unseen", "--timeout", "0s"),
    ("status", "status"),
    ("status", "status", "unseen"),
    ("why", "why", "example"),
    ("why", "why", "unseen"),
    ("validation", "validate"),
    ("plan", "diff"),
    ("verifyreport", "verify"),
    ("verifyreport", "verify", "127.0.0.1:1"),
    ("version", "version"),
]
WRITERS = [
    ("plan", "apply", "example"),
    ("plan", "apply", "--dry-run"),
    ("plan", "renew", "example"),
    ("plan", "rollback", "example"),
    ("plan", "retry", "example"),
    ("preflightreport", "preflight", "example"),
]


def fits(name: str, text: str) -> Any:  # noqa: ANN401  JSON has no tighter type
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    value = json.loads(text)
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)
    return value


@pytest.fixture(name="full")
def _full(applied: Program) -> Program:
    """A state with something of every kind: a site that is Ready, one that is held, one that no pass has seen."""
    (applied.manifests / "more.yaml").write_text(MORE)
    held = applied.site("held")
    held.write_text(held.read_text().replace("spec: {", "spec: {suspend: true, "))
    assert applied("apply", "held").returncode == 0
    app = build(Options(manifests=(str(applied.manifests),), state=str(applied.state)))
    with app.store.claim("account/ca.example/default", "test", 1.0) as lease:
        account = AccountRecord("https://ca.example/directory", "default", "https://ca.example/1", ("mailto:a@b.test",))
        app.store.put_account(lease, account, x509.new_key("ecdsa-p256"))
    app.close()
    applied.site("unseen")
    return applied


def test_what_readers_print(full: Program) -> None:
    for name, *arguments in READERS:
        told = full(*arguments, "-o", "json")
        fits(name, told.stdout)
    kinds = {item["kind"] for kind in (*LISTED, "holds", "events") for item in full.json("get", kind)["items"]}
    assert kinds == {"Site", "Issuer", "Target", "ChallengeMethod", "HostnameSet", "Server", "Hold", "Event", "Account"}
    assert "v" not in full.json("get", "accounts")["items"][0]


def test_what_writers_print(full: Program) -> None:
    for name, *arguments in WRITERS:
        fits(name, full(*arguments, "-o", "json").stdout)
    files = made("example.test", "www.example.test", above=seller()).put(full.root / "bought")
    pair = ("--key", str(files / "key.pem"), "--certificate", str(files / "cert.pem"))
    fits("plan", full("import", "example", *pair, "-o", "json").stdout)
    (full.manifests / "bad.yaml").write_text("kind: Site\n")
    for name, verb in (("plan", "diff"), ("validation", "validate")):
        assert fits(name, full(verb, "-o", "json").stdout)["errors"]


def test_every_verb_that_writes_json_is_looked_at() -> None:
    context = click.Context(certwright)
    verbs = {verb for verb in VERBS if "json" in getattr(certwright.get_command(context, verb), "formats", ())}
    assert {words[1] for words in (*READERS, *WRITERS)} | {*OF_STAGES, "import"} == verbs


def test_help_names_every_schema_of_an_output() -> None:
    told = CliRunner().invoke(certwright, ["schema", "--help"]).output
    assert [name for name in output_schemas() if name.removesuffix(".json") not in told] == []
