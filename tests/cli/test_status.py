"""`status`, and the next steps that it and others print: what an admin reads who is woken at night."""

from __future__ import annotations

import signal
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.journeys.stage import Stage
from tests.program import ENTRY
from tests.servers.processes import until

if TYPE_CHECKING:
    from tests.program import Program


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


def test_a_certificate_of_the_future_is_told_with_the_next_step(program: Program) -> None:
    """As it is after the machine's clock was set back."""
    program.site("example")
    Stage(program.root, shift=timedelta(days=1)).settle()
    assert program("status").returncode == 1, "before any pass"
    told = program("apply")
    words = "not ready site/example: NotYetValid: the certificate begins at "
    assert (told.returncode, words in told.stdout) == (1, True), told.stdout
    for verb in ("apply", "status"):
        assert "set the machine's clock\n" in program(verb).stdout
    assert program.json("get", "sites")["items"][0]["status"]["conditions"][0]["reason"] == "NotYetValid"


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
