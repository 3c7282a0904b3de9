"""Whole flows by real processes, on the embedded CA and plain files."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.program import ENTRY
from tests.servers.processes import until

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


def on_a_terminal(program: Program, *arguments: str, env: dict[str, str] | None = None) -> bytes:
    """Run a verb to its good end, and give what a terminal gets to see."""
    leader, follower = pty.openpty()
    argv, env = program.argv(*arguments), {**program.environment(), "TERM": "xterm", **(env or {})}
    with subprocess.Popen(argv, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        told = b""
        with suppress(OSError):
            while more := os.read(leader, 65536):
                told += more
        assert process.wait(60) == 0
    os.close(leader)
    return told


@pytest.mark.parametrize(("flags", "env"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"})], ids=str)
def test_a_terminal_gets_a_bar_without_colours_where_none_are_wanted(
    program: Program, flags: tuple[str, ...], env: dict[str, str]
) -> None:
    program.site("example")
    told = on_a_terminal(program, "apply", *flags, env=env)
    assert b"2/2" in told
    assert re.findall(rb"\x1b\[[0-9;]*m", told) == []


def test_a_terminal_gets_a_bar_and_colours(program: Program) -> None:
    for number in range(3):
        program.site(f"site{number}")
    told = on_a_terminal(program, "apply")
    assert b"\x1b[32m" in told
    assert b"6/6" in told
    assert b"applied: 6 done." in told
    assert b"done    issue" not in told, "the bar stands for the lines"


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
    assert applied("describe", "target", "disc").returncode == 2


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
    assert run("apply", "--change-source", "--allow-removals", "1").returncode == 0
    assert not (applied.out / "example.pem").exists()


def test_manifests_from_standard_input(program: Program) -> None:
    text = (program.manifests / "server.yaml").read_text() + "---\n" + program.site("example").read_text()
    argv = [*program.argv()[:4], "-f", "-", "--state", str(program.state), "apply"]
    env = program.environment()
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert (program.out / "example.pem").exists()


def test_output_that_is_cut_off_does_not_stop_the_work(program: Program) -> None:
    for number in range(5):
        program.site(f"site{number}")
    argv, env = program.argv("apply"), program.environment()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.read()
        assert process.wait(60) == 0
    assert len(list(program.out.glob("*.pem"))) == 5


def test_a_full_disk_under_the_output_is_the_machines_failure(applied: Program) -> None:
    with Path("/dev/full").open("w") as full:
        argv, env = applied.argv("get", "sites"), applied.environment()
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env)
    assert done.returncode == 3
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_step_in_hand_end(program: Program, number: int, code: int) -> None:
    (program.manifests / "server.yaml").write_text(
        (program.manifests / "server.yaml")
        .read_text()
        .replace("fullchain:", "reload: {command: [sleep, '2']}, fullchain:")
    )
    program.site("example")
    argv, env = program.argv("apply"), program.environment()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            until((program.out / "example.pem").exists, "the step is in hand", 30)
            process.send_signal(number)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code
    assert "stopping" in told
    assert program("apply").returncode == 0


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
    refused = program("apply")
    assert refused.returncode == 3
    assert "is no state directory" in refused.stderr


def test_problems_are_told_like_a_compilers_all_at_once(program: Program) -> None:
    (program.manifests / "bad.yaml").write_text(
        "apiVersion: certwright/v1\nkind: Site\nmetadata: {name: bad}\nspec: {hostname: [a.test]}\n"
    )
    (program.manifests / "tab.yaml").write_text("a:\n\tb: 1\n")
    for verb in ("validate", "diff", "apply"):
        told = program(verb)
        assert (told.returncode, told.stdout) == (2, "")
        lines = told.stderr.splitlines()
        assert lines[0].startswith(f"{program.manifests}/bad.yaml:4:8: unknown field `hostname`")
        assert lines[1:3] == ["    spec: {hostname: [a.test]}", "           ^"]
        assert lines[-1] == "2 errors in 2 files; nothing was touched"
    assert not list(program.out.iterdir())


def test_a_name_of_two_sites_is_told_where_it_stands(program: Program) -> None:
    program.site("one", "shared.test")
    two = program.site("two", "own.test", "shared.test")
    told = program("validate")
    assert told.returncode == 2
    column = two.read_text().splitlines()[3].index("shared.test") + 1
    assert told.stderr.startswith(f"{two}:4:{column}: site two: shared.test on target disk belongs to site one already")


def test_keep_going_holds_only_what_is_broken(applied: Program) -> None:
    (applied.manifests / "bad.yaml").write_text("kind: Site\n")
    applied.site("good")
    told = applied("apply", "--keep-going")
    assert (applied.out / "good.pem").exists()
    assert "the rest goes on" in told.stderr


def test_an_empty_tree_is_told(program: Program) -> None:
    (program.manifests / "server.yaml").unlink()
    for verb in ("validate", "diff", "apply"):
        told = program(verb)
        assert told.returncode == 2
        assert "holds no manifest" in told.stderr


def test_next_steps_are_commands_for_the_same_tree_and_state(program: Program) -> None:
    """Where they were typed; else, and in JSON and YAML, the command is bare."""
    nothing_listens(program)
    program.site("example")
    bare, aimed = "then: certwright retry example\n", f"then: certwright {program.flags()} retry example\n"
    for verb in ("apply", "status", "verify"):
        told = program(verb)
        assert (told.returncode, aimed in told.stdout) == (1, True), told.stdout
    assert bare.strip() in program("verify", "-o", "yaml").stdout
    assert program.json("verify")["items"][0]["next"].endswith(bare.strip())
    named = {"CERTWRIGHT_MANIFESTS": str(program.manifests), "CERTWRIGHT_STATE": str(program.state)}
    env = {**program.environment(), **named}
    told = subprocess.run([*ENTRY, "status"], capture_output=True, text=True, check=False, env=env)
    assert bare in told.stdout


def test_status_tells_how_many_sites_no_pass_has_looked_at(applied: Program) -> None:
    for name in ("a", "b", "c"):
        applied.site(name)
    assert applied("apply", "a").returncode == 0
    told = applied("status").stdout
    assert "2 sites: 2 ready, 0 waiting, 0 failing\n" in told
    assert f"\n2 more not looked at yet; next: certwright {applied.flags()} apply\n" in told
    assert applied.json("status")["counts"] == {"ready": 2, "waiting": 0, "failing": 0, "unseen": 2}
    assert "not looked at" not in applied("status", "a").stdout
    assert applied("apply").returncode == 0
    assert "not looked at" not in applied("status").stdout


def nothing_listens(program: Program) -> None:
    """Look at a port where nobody answers."""
    server = program.manifests / "server.yaml"
    looked_at = "{type: files, verify: {address: 127.0.0.1, ports: [9], mode: enforce},"
    server.write_text(server.read_text().replace("{type: files,", looked_at))


def test_apply_tells_what_is_not_ready_without_a_cache(program: Program) -> None:
    nothing_listens(program)
    program.site("example")
    failed = program("apply")
    assert (failed.returncode, "retry example\n" in failed.stdout) == (1, True), failed.stdout
    for path in program.state.glob("index.sqlite*"):
        path.unlink()
    (program.state / "index.sqlite").mkdir()
    assert (program("apply").returncode, program("status").returncode) == (1, 1)


def test_status_of_a_site_by_name_knows_what_get_knows(applied: Program) -> None:
    applied.site("unseen")
    told = applied("status", "unseen")
    assert (told.returncode, "unseen   Missing" in told.stdout) == (0, True), told.stderr
    assert applied("status", "site/example").stdout == applied("status", "example").stdout
    assert applied("status", "nobody").returncode == 2


def test_status_tells_what_is_held_for_the_whole_tree(applied: Program) -> None:
    """No declared site bears the guard's hold: who is woken at night finds it all the same, and what to do."""
    for name in ("a", "b", "c"):
        applied.site(name)
    assert applied("apply").returncode == 0
    for name in ("a", "b"):
        (applied.manifests / f"{name}.yaml").unlink()
    assert applied("apply").returncode == 1
    told = applied("status")
    assert told.returncode == 1
    assert "held: TooManyRemovals: 2 of " in told.stdout
    allow = f"certwright {applied.flags()} apply --allow-removals 2"
    assert f"ends when the manifests are back, or `{allow}`" in told.stdout
    assert told.stdout.endswith(f"  next: {allow}\n")
    assert f"  next: {allow}\n" in applied("diff").stdout
    assert applied.json("status")["holds"][0]["reason"] == "TooManyRemovals"
    assert "TooManyRemovals" in applied("get", "holds").stdout
    assert "TooManyRemovals" not in applied("status", "c").stdout
    assert applied("apply", "c").returncode == 0, "a pass over one site judges nothing of it"
    assert "TooManyRemovals" in applied("status").stdout
    for name in ("a", "b"):
        applied.site(name)
    argv, env = applied.argv("run"), applied.environment()
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            until(lambda: applied("status").returncode == 0, "all is well", 30)
            for name in ("a", "b"):
                (applied.manifests / f"{name}.yaml").unlink()
            until(lambda: "TooManyRemovals" in applied("status").stdout, "the removals are held", 30)
            for name in ("a", "b"):
                applied.site(name)
            until(lambda: applied("status").returncode == 0, "they are back", 30)
            process.send_signal(signal.SIGTERM)
            _, text = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, text
