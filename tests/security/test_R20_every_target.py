"""R20, R22, R23, R25 for every target that writes files: what is put in the way holds the site, and nothing is steered.

`exec` writes nothing: its program must be trusted (R35).
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.stage import Stage, document, held, site

TENANT = 60001
TRUE = ["/bin/true"]
SERVERS = ("nginx", "apache", "haproxy", "dovecot", "postfix")


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def spec_of(kind: str, place: Path) -> dict[str, Any]:
    """Give a target of a type whose files stand in one directory."""
    if kind == "files":
        return {"type": kind, "key": f"{place}/{{site}}.key", "reload": {"command": TRUE}}
    off = {"test": TRUE, "reload": {"command": TRUE}, "verify": {"mode": "off"}}
    return {"type": kind, "configDirectory": str(place), **off}


@pytest.mark.parametrize("kind", [*SERVERS, "files"])
def test_what_stands_in_the_way_holds_the_site(stage: Stage, kind: str) -> None:
    place = stage.root / "place"
    place.mkdir()
    stage.write(
        "all.yaml",
        document("Issuer", "own", {"type": "ca", "commonName": "Home CA"}),
        document("Target", "web", spec_of(kind, place)),
        site("one", issuers=["own"], targets=["web"]),
    )
    stage.settle()
    with stage.app(read_only=True) as app:
        entry = app.store.inventory_of("web", "one")
    assert entry is not None
    path = next(Path(file.path) for file in entry.files if not file.fragment)
    secret = stage.root / "secret"
    secret.write_bytes(b"root's")
    secret.chmod(0o600)

    def refused() -> str:
        report = stage.apply()[-1]
        holds = held(report)
        assert ({hold.reason for hold in holds.values()}, report.plan.changes) == ({"PathRefused"}, ())
        return next(hold.message for (name, _), hold in holds.items() if name == "one")

    path.unlink()
    path.symlink_to(secret)
    assert f"{path} is a link, a directory or a device" in refused()  # R20
    path.unlink()
    os.mkfifo(path)
    assert f"{path} is a link, a directory or a device" in refused()  # R25
    path.unlink()
    place.chmod(0o777)
    assert f"{place} can be written by others (mode 0777)" in refused()  # R22
    place.chmod(0o775)
    assert f"{place} can be written by others (mode 0775)" in refused()
    place.chmod(0o755)
    os.chown(place, TENANT, TENANT)
    if kind == "files":
        path.write_bytes(b"root's own")
        assert f"belongs to uid 0 in a tree of uid {TENANT}" in refused()  # R21
        path.unlink()
    else:
        assert "who could have the server run anything" in refused()
    os.chown(place, 0, 0)

    os.link(secret, path)  # R23: the other name of a file is replaced, the file is not written to
    stage.settle()
    assert (secret.read_bytes(), secret.stat().st_mode & 0o777, secret.stat().st_nlink) == (b"root's", 0o600, 1)
    assert path.stat().st_ino != secret.stat().st_ino
    assert not [one for one in place.iterdir() if one.name.startswith(".certwright-")]


def test_a_command_that_others_can_change_is_not_run(stage: Stage) -> None:
    place = stage.root / "place"
    place.mkdir()
    program, ran = place / "deploy", stage.root / "ran"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    place.chmod(0o777)
    target = {"type": "exec", "install": [str(program)]}
    stage.write(
        "all.yaml",
        document("Issuer", "own", {"type": "ca", "commonName": "Home CA"}),
        document("Target", "web", target),
        site("one", issuers=["own"], targets=["web"]),
    )
    (hold,) = held(stage.apply()[-1]).values()
    assert f"others can write to {place}; run: chmod go-w on that" in hold.message
    assert not ran.exists()
    place.chmod(0o755)
    stage.shift += timedelta(hours=1)
    stage.settle()
    assert ran.exists()
