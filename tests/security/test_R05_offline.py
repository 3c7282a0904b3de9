"""R5: `validate` and `diff` act on nothing: no socket, no program but the one child that renders, no write.

An audit hook tells what they touch, in a process of their own; `diff` also reads a state directory that is read-only.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.doors import x509
from reconciler.model.ports import Scope
from tests.journeys.stage import SERVER, Stage, ca_site, copy_target, document, site
from tests.speed.test_quiet_pass import CHECKOUT, Touched, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURSELVES: Final = (str(CHECKOUT / "reconciler"), sys.prefix, sys.base_prefix, "/usr/lib/python3", str(CHECKOUT))


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    """One site is installed, one waits for its order, one file drifted; an Issuer whose CA nothing listens for."""
    stage = Stage(tmp_path)
    (tmp_path / "conf").mkdir()
    web = {"type": "nginx", "layout": "vhost", "configDirectory": str(tmp_path / "conf")}
    touch = {"exec": ["/usr/bin/touch", str(tmp_path / "secret-was-read")]}
    eab = {"kid": "k", "hmacKey": touch}
    stage.write(
        "base.yaml",
        document("Server", "home", SERVER),
        copy_target(tmp_path / "out"),
        document("Target", "web", {**web, "test": ["/usr/bin/touch", str(tmp_path / "tested")]}),
        document("Issuer", "far", {"type": "acme", "directory": "https://ca.invalid/", "eab": eab, "trust": "private"}),
        document("ChallengeMethod", "zone", {"type": "dns-01", "provider": {"type": "exec", "command": touch["exec"]}}),
    )
    stage.write("one.yaml", ca_site("one"))
    stage.settle()
    (tmp_path / "out" / "one.crt").write_text("drifted")
    stage.write(
        "two.yaml", site("two", "a.two.example.com", issuers=["far"], challenges=[{"method": "zone"}], targets=["web"])
    )
    return stage


def paths(touched: Touched) -> set[str]:
    """The absolute paths that were opened or listed, our own code apart."""
    found = {text.partition(" ")[2] for text in touched.opened}
    return {path for path in found if path.startswith("/") and not path.startswith(OURSELVES)} - {"/"}


def everything(directory: Path) -> Iterator[tuple[str, object]]:
    """Name, identity, mode, time of change and content of all that is there."""
    for path in sorted([directory, *directory.rglob("*")]):
        facts = path.lstat()
        link = str(path.readlink()).encode() if path.is_symlink() else None
        content = link if link is not None else path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).hexdigest()
        yield str(path), (facts.st_ino, facts.st_mode, facts.st_mtime_ns, facts.st_ctime_ns, digest)


def test_validate_opens_the_tree_alone(stage: Stage) -> None:
    touched = run(stage, "validate")
    assert touched.code == 0
    assert touched.others == []
    assert all(path.startswith(str(stage.manifests)) for path in paths(touched)), paths(touched)


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_diff_asks_nobody_and_writes_nothing(stage: Stage, output: str) -> None:
    before = dict(everything(stage.root))
    touched = run(stage, "diff", "-o", output)
    assert touched.code == 1
    assert set(touched.others) <= {"subprocess.Popen"}
    assert len(touched.others) == 1, "the child that renders, for all templates together"
    known = (str(stage.root), "/dev/null", "/proc/self", "/etc/machine-id")
    assert all(path.startswith(known) for path in paths(touched)), paths(touched)
    assert dict(everything(stage.root)) == before


def test_diff_starts_no_program_where_nothing_is_rendered(stage: Stage) -> None:
    (stage.manifests / "two.yaml").unlink()
    assert run(stage, "diff").others == []


def test_diff_opens_of_all_keys_those_of_the_sites_it_looks_at_alone(stage: Stage) -> None:
    """Never one of a CA, of an account or of an order: a site's own is read to see that it fits its certificate."""
    stage.write("three.yaml", ca_site("three"))
    stage.apply(Scope(frozenset({"three"})))
    (stage.root / "out" / "three.crt").write_text("drifted")  # a quiet site would not be looked at
    one, three = (str(stage.path(name, "privkey.pem")) for name in ("one", "three"))
    with stage.app() as app, app.store.claim("site/two", "apply", 0) as lease:
        app.store.pending_key(lease, "two", lambda: x509.new_key("ecdsa-p256"))
    assert [path.name for path in (stage.state / "orders" / "two").iterdir()] == ["pending.key"]
    for words, looked_at in (((), {one, three}), (("one",), {one})):
        touched = run(stage, "diff", *words)
        opened = {text.partition(" ")[2] for text in touched.opened if text.startswith("open ")}
        assert {path for path in opened if path.endswith("privkey.pem")} == looked_at
        assert not [path for path in opened if path.endswith("pending.key")]
        assert not [path for path in opened if path.startswith((f"{stage.state}/ca/", f"{stage.state}/accounts/"))]


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_diff_shows_nothing_of_a_key_that_it_reads(stage: Stage, output: str) -> None:
    key = stage.path("one", "privkey.pem").read_text().splitlines()[1:-1]
    (stage.root / "out" / "one.key").write_text("\n".join(["drifted", *key]))
    shown = _diff(stage, "-o", output)
    assert "one.key" in shown.stdout
    assert not [line for line in key if line in shown.stdout + shown.stderr]


def test_diff_reads_a_state_directory_that_cannot_be_written(stage: Stage) -> None:
    expected = _diff(stage)
    for path in [stage.state, *stage.state.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        before = dict(everything(stage.state))
        done = _diff(stage)
        assert dict(everything(stage.state)) == before
    finally:
        for path in [stage.state, *stage.state.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
    assert (done.returncode, done.stdout, done.stderr) == (1, expected.stdout, "")


def _diff(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    # root without capabilities keeps to the modes like anybody
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    program = [sys.executable, "-I", "-m", "reconciler.cli"]
    roots = ["-f", str(stage.manifests), "--state", str(stage.state)]
    env = {"PATH": "/usr/bin:/bin"}
    argv = [*bare, *program, *roots, "diff", *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
