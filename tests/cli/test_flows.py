"""Whole flows by real processes, on the embedded CA and plain files."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from tests.program import Program

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "v1"


def fits(name: str, value: object) -> None:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)


def test_from_nothing_to_ready_and_back(program: Program) -> None:
    program.site("example", "example.test")
    assert program("validate").returncode == 0
    first = program("diff")
    assert first.returncode == 1
    assert "issue by ca: Missing" in first.stdout
    assert not program.state.exists(), "a dry run writes nothing"
    applied = program("apply")
    assert applied.returncode == 0
    assert first.stdout in applied.stdout, "apply prints what diff printed"
    assert applied.stdout.endswith("applied: 2 done.\n")
    lines = [line for line in applied.stderr.splitlines() if line.startswith("done")]
    assert [line.split()[1:3] for line in lines] == [["issue", "site/example"], ["install", "site/example"]]
    again = program("diff")
    assert (again.returncode, again.stdout) == (0, "no changes: everything is as declared.\n")
    assert program("apply").returncode == 0
    (program.manifests / "example.yaml").unlink()
    program.site("other")
    assert program("apply", "--allow-removals", "1").returncode == 0
    assert sorted(path.name for path in program.out.iterdir()) == ["other.key", "other.pem"]


def test_dry_run_is_diff_with_exit_0(program: Program) -> None:
    program.site("example")
    dry = program("apply", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, program("diff").stdout)
    assert not program.state.exists()


def test_outputs_fit_their_schemas(program: Program) -> None:
    program.site("example")
    program.site("other")
    fits("plan", program.json("diff"))
    done = program.json("apply", "example")
    fits("plan", done)
    assert [change["outcome"]["status"] for change in done["changes"]] == ["done", "done"]
    fits("list", program.json("get", "sites"))
    fits("verifyreport", program.json("verify", "127.0.0.1:1"))
    assert program.json("verify", "127.0.0.1:1")["items"][0]["reason"] == "NothingListens"
    (program.manifests / "bad.yaml").write_text("kind: Site\n")
    wrong = program("diff", "-o", "json")
    fits("plan", json.loads(wrong.stdout))
    assert wrong.returncode == 2
    assert json.loads(wrong.stdout)["errors"]


def test_sites_and_labels_bound_what_is_done(program: Program) -> None:
    program.site("one")
    program.site("two", tier="own")
    assert program("apply", "-l", "tier=own").returncode == 0
    assert sorted(path.name for path in program.out.glob("*.pem")) == ["two.pem"]
    assert "site/one" in program("diff").stdout
    assert program("diff", "two").returncode == 0
    assert program("apply", "-l", "tier=nobody").returncode == 2
    unknown = program("apply", "tow")
    assert unknown.returncode == 2
    assert "did you mean `two`?" in unknown.stderr


def test_a_reviewed_plan_is_done_as_it_was_reviewed_or_refused(program: Program) -> None:
    program.site("one")
    saved = program.root / "plan.json"
    saved.write_text(program("diff", "-o", "json").stdout)
    program.site("two")
    done = program("apply", "--plan", str(saved))
    assert done.returncode == 0, done.stderr + done.stdout
    assert sorted(path.name for path in program.out.glob("*.pem")) == ["one.pem"], "two was not reviewed"
    refused = program("apply", "--plan", str(saved))
    assert refused.returncode == 1
    assert "refused issue one Missing" in refused.stdout
    assert "no longer planned" in refused.stdout


@pytest.mark.parametrize(
    "text", ["", "{}", '{"kind": "Plan", "changes": [{}]}', "[" * 100_000, '{"kind":"Plan","changes":1}']
)
def test_what_is_no_plan_is_wrong_usage(program: Program, text: str) -> None:
    program.site("one")
    (program.root / "plan.json").write_text(text)
    assert program("apply", "--plan", str(program.root / "plan.json")).returncode == 2
    assert program("apply", "--plan", str(program.root / "absent")).returncode == 2


def test_readers_show_the_site(applied: Program) -> None:
    head, row = applied("get", "sites").stdout.splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "HOSTNAMES", "ISSUER", "EXPIRES", "RENEWS"]
    assert row.split()[:2] == ["example", "True"]
    assert applied("get", "site/example", "-o", "name").stdout == "site/example\n"
    assert applied("get", "sites", "-l", "tier=nobody").stdout == ""
    assert "Missing" in applied("get", "events").stdout
    assert "ecdsa-p256" in applied("get", "certs").stdout
    targets = [line.split() for line in applied("get", "targets").stdout.splitlines()]
    assert ["nginx", "nginx", "snippet", "/etc/nginx/certwright.d"] in targets, "the defaults of the type are shown"
    assert ["ca", "ca", "private", "-"] in [line.split() for line in applied("get", "issuers").stdout.splitlines()]
    assert applied("get", "site", "exmaple").returncode == 2
    applied.site("unseen")
    assert applied("get", "site", "unseen").stdout.splitlines()[1].split()[:3] == ["unseen", "False", "Missing"]
    (applied.manifests / "unseen.yaml").unlink()
    status = applied("status")
    assert status.returncode == 0
    assert status.stdout == f"source: {applied.manifests}\n1 site: 1 ready, 0 waiting, 0 failing\n"


def test_events_are_selected_by_the_labels_of_their_sites(applied: Program) -> None:
    applied.site("own", tier="own")
    assert applied("apply").returncode == 0
    whole = applied.json("get", "events")["items"]
    for labels, sites in (("tier=customer", {"example"}), ("tier=own", {"own"}), ("tier!=own", {"example"})):
        found = applied.json("get", "events", "-l", labels)["items"]
        assert found == [event for event in whole if event["site"] in sites]
        assert found
    assert applied("get", "events", "-l", "tier=nobody").stdout == ""
    assert applied("get", "accounts", "-l", "tier=own").returncode == 2


@pytest.mark.parametrize(
    "kind", ["issuers", "targets", "challengemethods", "hostnamesets", "servers", "accounts", "holds"]
)
def test_every_kind_is_listed_in_every_format(applied: Program, kind: str) -> None:
    for output in ("text", "wide", "name"):
        assert applied("get", kind, "-o", output).returncode == 0
    assert applied.json("get", kind)["kind"] == "List"
    assert applied("get", kind, "-o", "yaml").stdout.startswith("apiVersion: certwright/v1\n")


def test_without_the_cache_the_slow_way_gives_the_same(applied: Program) -> None:
    fast = applied.json("get", "sites")
    for path in applied.state.glob("index.sqlite*"):
        path.unlink()
    slow = applied.json("get", "sites")
    for item in (*fast["items"], *slow["items"]):
        for condition in item["status"]["conditions"]:
            del condition["lastTransitionTime"]
    assert slow == fast


def test_watching_shows_what_changes(applied: Program) -> None:
    argv, env = applied.argv("get", "sites", "-w"), applied.environment()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        first = [process.stdout.readline(), process.stdout.readline()]
        applied.site("later")
        assert applied("apply", "site/later").returncode == 0
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert first[0].startswith("NAME ")
    assert line.split()[:2] == ["later", "True"]
    assert process.returncode == 130


def test_describe_says_where_values_come_from(applied: Program) -> None:
    told = applied("describe", "site", "example").stdout
    assert f"Site example, {applied.manifests}/example.yaml:4" in told
    assert f"Server home, {applied.manifests}/server.yaml:4" in told
    assert "built in" in told
    assert "lookahead=33%" in told
    assert "because of Lookahead" in told
    target = applied("describe", "target/disk").stdout
    assert "Used by: example" in target
    assert "include /etc/nginx/certwright.d/SITE.conf;" in applied("describe", "target", "nginx").stdout
    assert "of a Site: describe site example" in applied("describe", "example").stderr
    assert {"suspend false", "placeholder false"} <= {
        " ".join(line.split()[:2]) for line in applied("describe", "site", "example").stdout.splitlines()
    }, "as a manifest writes it"
    assert applied("describe", "target", "disc").returncode == 2


def test_describe_shows_of_a_method_what_it_has_and_no_more(program: Program) -> None:
    program.site("one")
    hook = """\
apiVersion: certwright/v1
kind: ChallengeMethod
metadata: {name: hook}
spec: {type: dns-01, provider: {type: exec, command: [/bin/true, "a b"]}}
"""
    (program.manifests / "hook.yaml").write_text(hook)
    told = program("describe", "challengemethod", "hook").stdout
    provider = [
        "  provider:",
        "    type: exec",
        '    command: ["/bin/true", "a b"]',
        "    timeout: 1m",
        "  type: dns-01",
    ]
    assert told.splitlines()[-len(provider) :] == provider
    assert "null" not in told
    effective = json.loads(program("describe", "challengemethod", "hook", "-o", "json").stdout)["effective"]
    assert effective["provider"] == {"type": "exec", "command": ["/bin/true", "a b"], "timeout": "1m"}


def test_describe_keeps_since_when_a_condition_is_as_it_is(applied: Program) -> None:
    def since() -> dict[str, str]:
        conditions = applied.json("describe", "site", "example")["status"]["conditions"]
        return {one["type"]: one["lastTransitionTime"] for one in conditions}

    before = since()
    time.sleep(1.1)
    (applied.out / "example.pem").write_text("changed")  # so that the site is looked at
    after = since()
    assert after.pop("Installed") > before.pop("Installed")
    assert after.pop("Ready") > before.pop("Ready")
    assert after == before


def test_why_gives_every_verdict(applied: Program) -> None:
    assert "the certificate is as declared" in applied("why", "example").stdout
    applied.site("example", "example.test", "new.example.test")
    told = applied.json("why", "example")
    fired = [verdict["reason"] for verdict in told["verdicts"] if verdict["fires"]]
    assert fired == ["HostnamesDiffer"]
    assert len(told["verdicts"]) > 8
    assert applied("why", "nobody").returncode == 2


def test_wait_compares_with_the_manifest_of_now(applied: Program) -> None:
    assert applied("wait", "site/example", "--timeout", "5s").returncode == 0
    applied.site("example", "changed.test")
    late = applied("wait", "site/example", "--timeout", "0s")
    assert late.returncode == 1
    assert "has changed" in late.stderr
    applied.site("unseen")
    assert applied("wait", "site/unseen", "--timeout", "0s").returncode == 1
    assert applied("wait", "site/undeclared", "--timeout", "0s").returncode == 2


def test_renew_gives_a_new_certificate_and_nothing_else(applied: Program) -> None:
    applied.site("other")
    before = applied.json("get", "sites")["items"][0]["status"]["certificate"]["serial"]
    assert applied("renew", "example").returncode == 0
    items = applied.json("get", "sites")["items"]
    assert [item["metadata"]["name"] for item in items] == ["example"], "other was not asked for"
    assert items[0]["status"]["certificate"]["serial"] != before
    assert applied("diff", "example").returncode == 0, "asked once, renewed once"


def test_retry_tries_at_once_what_backs_off(program: Program) -> None:
    program.site("example")
    program.out.rmdir()
    failed = program("apply")
    assert failed.returncode == 1
    program.out.mkdir()
    assert program("retry", "example").returncode == 0
    assert (program.out / "example.pem").exists()


def test_a_foreign_tree_removes_nothing_until_the_source_is_changed(applied: Program) -> None:
    other = applied.root / "elsewhere"
    applied.manifests.rename(other)
    applied.manifests.mkdir()
    (applied.manifests / "server.yaml").write_text((other / "server.yaml").read_text())
    moved = applied.root / "moved"
    applied.manifests.rename(moved)
    told = applied("-f", str(moved), "diff")
    assert told.returncode == 2, "the union with a tree that is gone is refused"
    argv = [*applied.argv()[:4], "-f", str(moved), "--state", str(applied.state)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*argv, *arguments], capture_output=True, text=True, check=False, env=applied.environment()
        )

    kept = run("apply")
    assert (applied.out / "example.pem").exists()
    assert "this state follows" in kept.stderr
    assert f"`certwright -f {moved} --state {applied.state} apply --change-source` moves" in kept.stderr
    assert run("apply", "--change-source", "--allow-removals", "1").returncode == 0
    assert not (applied.out / "example.pem").exists()


def test_manifests_from_standard_input(program: Program) -> None:
    text = (program.manifests / "server.yaml").read_text() + "---\n" + program.site("example").read_text()
    argv = [*program.argv()[:4], "-f", "-", "--state", str(program.state), "apply"]
    env = program.environment()
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert (program.out / "example.pem").exists()


def test_run_watches_and_ends_with_0(program: Program) -> None:
    argv, env = program.argv("run"), program.environment()
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env) as process:
        program.site("example")
        waited = program("wait", "site/example", "--timeout", "30s")
        second = program("run")
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert waited.returncode == 0, waited.stderr + told
    assert (second.returncode, process.returncode) == (3, 0)
    assert f"process {process.pid}" in second.stderr
    assert "--lock-timeout" not in second.stderr, "no waiting helps"
    assert "run started: " in told
    assert "1 sites" not in told


def test_run_watches_nothing_of_a_linked_state_directory_but_what_is_live(applied: Program) -> None:
    """Its own writes would wake it."""

    def greeting(state: Path) -> str:
        argv = [*applied.argv()[:-1], str(state), "run"]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=applied.environment()) as process:
            assert process.stderr is not None
            told = next(line for line in process.stderr if "run started: " in line)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        return told.partition("run started: ")[2]

    link = applied.root / "link"
    link.symlink_to(applied.state)
    greeting(applied.state)  # the first one notes what it looked at
    assert greeting(link) == greeting(applied.state)


def test_a_state_directory_that_is_none_is_the_machines_failure(program: Program) -> None:
    program.site("example")
    program.state.mkdir()
    (program.state / "something").write_text("")
    for verb in ("apply", "diff", "status"):
        refused = program(verb)
        assert refused.returncode == 3
        assert "is no state directory" in refused.stderr


def test_a_state_directory_that_lost_its_version_is_read_no_more(applied: Program) -> None:
    (applied.state / "VERSION").unlink()
    for words in ("apply", "diff", "status", "get sites"):
        refused = applied(*words.split())
        assert (refused.returncode, "put VERSION back" in refused.stderr) == (3, True), words
