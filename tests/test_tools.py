from __future__ import annotations

import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def test_a_python_without_venv_is_told_with_its_remedy(tmp_path: Path) -> None:
    """As on a fresh Debian without python3-venv, for a person who is not root."""
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        _program(tmp_path / name, "exit 1")
    _program(tmp_path / "id", "echo 1000")
    done = subprocess.run(
        [CHECKOUT / "tools" / "pick-python.sh"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt-get install python3-venv" in done.stderr


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
