"""What a start costs and gives up."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import reconciler
from reconciler.cli import views
from reconciler.cli.failures import tell
from reconciler.cli.screen import Screen
from reconciler.cli.settings import Settings
from reconciler.errors import HeldBy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.program import Program

HEAVY = (
    "reconciler.model",
    "reconciler.manifests",
    "pydantic",
    "cryptography",
    "acme",
    "yaml",
    "rich",
    "requests",
    "ctypes",
)
INTERRUPT = """
import os, signal, sys
from reconciler.cli import main
class Interrupter:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
sys.argv = ["certwright", "version"]
sys.exit(main())
"""
LOOK = """
import sys
from reconciler.cli import main
sys.argv = ["certwright", *{arguments!r}]
code = main()
loaded = sorted(name for name in sys.modules if name.startswith({heavy!r}))
print("LOADED", code, *loaded)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["--help"],
        ["get", "--help"],
        ["apply", "--help"],
        ["get", "sites"],
        ["get", "sites", "-o", "json"],
        ["get", "sites", "-o", "yaml", "-l", "tier=customer"],
        ["get", "certificates"],
        ["get", "holds"],
        ["get", "events"],
        ["status"],
        ["status", "-o", "json"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_readers_import_neither_the_nouns_nor_anything_heavy(applied: Program, arguments: list[str]) -> None:
    given = ["-f", str(applied.manifests), "--state", str(applied.state), *arguments]
    script = LOOK.format(arguments=given, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "LOADED 0", done.stdout + done.stderr


@pytest.mark.parametrize(
    "module", ["reconciler.cli.streams", "click", "reconciler.cli.group", "reconciler.cli.verbs.version"]
)
def test_who_interrupts_the_start_sees_no_more_of_it(module: str) -> None:
    """The signal comes as the module is imported."""
    script = INTERRUPT.format(module=module)
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() in ("", "interrupted")


def test_the_version_is_that_of_the_package(program: Program) -> None:
    assert program.json("version")["version"] == reconciler.__version__


def test_a_certificate_that_expired_meanwhile_is_not_ready(applied: Program) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    [item] = views.sites(str(applied.state), now)
    [later] = views.sites(str(applied.state), now + timedelta(days=365))
    ready = {one["type"]: one["status"] for one in item["status"]["conditions"]}
    gone = {one["type"]: (one["status"], one["reason"]) for one in later["status"]["conditions"]}
    assert ready["Ready"] == ready["Issued"] == "True"
    assert gone["Ready"] == gone["Issued"] == ("False", "Expired")


def test_a_damaged_cache_is_as_none(applied: Program) -> None:
    (applied.state / "index.sqlite").write_bytes(b"rubbish" * 1000)
    for path in applied.state.glob("index.sqlite-*"):
        path.unlink()
    assert applied("get", "sites", "-o", "name").stdout == "site/example\n"


def test_a_bug_is_told_shortly_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert tell(ZeroDivisionError("why"), Screen()) == 1
    told = capsys.readouterr().err
    assert "this is a bug of certwright: ZeroDivisionError: why" in told
    assert "Traceback" not in told
    [kept] = tmp_path.iterdir()
    assert str(kept) in told
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError" in kept.read_text()
    assert tell(ZeroDivisionError("why"), Screen(Settings(("a",), "b", verbosity=2))) == 1
    assert "ZeroDivisionError: why" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device"), 3),
        (MemoryError(), 3),
        (HeldBy("site x", 7, "apply", "2026-01-01T00:00:00Z"), 3),
    ],
)
def test_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(error, Screen()) == code
    assert capsys.readouterr().err.strip()


def test_readers_neither_wait_nor_fall_for_what_stands_in_the_store(tmp_path: Path) -> None:
    for name in ("index.sqlite", "ledger.sqlite"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "source").write_text("[" * 100_000)
    state = str(tmp_path)
    assert (views.sites(state, datetime.now(UTC)), views.not_ready(state), views.events(state)) == ([], [], [])
    assert views.source(state) is None
