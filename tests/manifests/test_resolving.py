from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.start import start

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TREE = """\
apiVersion: certwright/v1
kind: Server
metadata: {name: home}
spec: {}
---
apiVersion: certwright/v1
kind: Site
metadata: {name: a}
spec: {hostnames: [a.example.com], challenges: [{method: dns}]}
"""


def test_a_missing_method_is_the_one_thing_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tree.yaml").write_text(TREE)
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    assert "there is no ChallengeMethod `dns`" in told
    assert "1 error in 1 file" in told


def test_a_file_that_is_too_large_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (2 << 20))
    assert start(["-f", str(tmp_path), "validate"]) == 2
    assert f"{large}: has 2097152 bytes, more than the 1048576 allowed" in capsys.readouterr().err
