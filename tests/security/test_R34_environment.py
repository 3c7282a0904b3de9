"""R34: nothing in the environment decides what we load, whom we trust or whom we ask."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.environment import scrub
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy", "NETRC"),
    *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "GIT_SSH_COMMAND", "GIT_DIR", "LD_PRELOAD", "LD_LIBRARY_PATH"),
)


def test_hostile_variables_are_taken_out_and_ours_stay() -> None:
    ours = {"CERTWRIGHT_STATE": "/s", "NO_COLOR": "1", "TERM": "xterm", "PATH": "/bin", "HOME": "/root", "LANG": "C"}
    environment = {**dict.fromkeys(HOSTILE, "evil"), **ours}
    scrub(environment)
    assert environment == ours


@pytest.fixture(name="trap")
def _trap(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Every variable hostile: modules that shadow ours, an OpenSSL configuration, a key log, a pre-loaded library."""
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("json", "sqlite3", "click", "rich", "yaml"):
        (trap / f"{name}.py").write_text(f"open({str(trap / 'sprung')!r}, 'a').write({name!r})\nraise SystemExit(66)\n")
    (trap / "openssl.cnf").write_text(
        "openssl_conf = x\n[x]\nproviders = y\n[y]\nz = w\n[w]\nmodule = /nonexistent.so\n"
    )
    variables = dict.fromkeys(HOSTILE, str(trap / "nothing"))
    variables |= {
        "OPENSSL_CONF": str(trap / "openssl.cnf"),
        "PYTHONPATH": str(trap),
        "SSLKEYLOGFILE": str(trap / "keys.log"),
    }
    del variables["PYTHONHOME"], variables["LD_PRELOAD"], variables["LD_LIBRARY_PATH"]
    yield trap, variables
    assert not (trap / "sprung").exists()
    assert not (trap / "keys.log").exists()


def test_the_program_starts_with_all_of_them_hostile(tmp_path: Path, trap: tuple[Path, dict[str, str]]) -> None:
    directory, variables = trap
    program = Program(tmp_path, variables).prepare()
    program.site("example")
    env = {**program.environment()}
    done = subprocess.run(program.argv("apply"), capture_output=True, text=True, env=env, cwd=directory, check=False)
    assert done.returncode == 0, done.stderr
    assert (program.out / "example.pem").exists()


def test_what_pythonpath_added_is_off_the_path_where_the_shebang_has_no_isolation(
    trap: tuple[Path, dict[str, str]],
) -> None:
    """The scripts that pip writes start `python` without -I; what comes after our first statement is safe even so."""
    directory, variables = trap
    script = "import sys\nfrom reconciler.cli import main\nsys.argv = ['certwright', 'version']\nsys.exit(main())"
    env = {"PATH": os.environ["PATH"], **variables}
    argv = [sys.executable, "-P", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=directory, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("certwright ")


def test_scrubbing_comes_before_every_other_import() -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\nimport reconciler.cli\n"
        "late = {'ssl', '_ssl', 'hashlib', 'click', 'json', 'sqlite3'}\n"
        "print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] in late))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
