"""Certificates in the homes of others: each file is its owner's from birth, and what he does holds his site alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.model.ports import Limits, Scope
from tests.journeys.stage import ca_site, copy_target, document, held, site, told
from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.engine import Report
    from tests.journeys.stage import Stage

ALICE, BOB = 60001, 60002
NOBODY = 65534


def home_of(stage: Stage, name: str, uid: int) -> Path:
    """Make a home that nobody else may enter, with a directory for certificates."""
    home = stage.root / "home" / name
    (home / "tls").mkdir(parents=True)
    for path in (home, home / "tls"):
        os.chown(path, uid, uid)
        path.chmod(0o700)
    return home


def facts(path: Path) -> tuple[int, int, int]:
    """Give owner, group and mode."""
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o7777


def described(report: Report) -> dict[str, str]:
    """Give what the plan says of the rights of each file."""
    return {file.path: file.rights for change in report.plan.changes for file in change.files}


def test_certificates_in_homes(stage: Stage) -> None:
    homes = {name: home_of(stage, name, uid) for name, uid in (("alice", ALICE), ("bob", BOB))}
    places = {"key": "{site}/tls/site.key", "fullchain": "{site}/tls/site.crt"}
    target = copy_target(stage.root / "home", **{part: f"{stage.root}/home/{place}" for part, place in places.items()})
    stage.write("base.yaml", document("Issuer", "ca", {"type": "ca", "commonName": "Home CA"}), target)
    stage.write("sites.yaml", ca_site("alice"), ca_site("bob"))
    stage.settle()
    for name, uid in (("alice", ALICE), ("bob", BOB)):
        tls = homes[name] / "tls"
        assert facts(tls / "site.key") == (uid, NOBODY, 0o600)
        assert facts(tls / "site.crt") == (uid, NOBODY, 0o644)
        assert (tls / "site.key").read_bytes() == stage.path(name, "privkey.pem").read_bytes()
        assert sorted(os.listdir(tls)) == ["site.crt", "site.key"]  # noqa: PTH208

    key = homes["alice"] / "tls" / "site.key"
    shown = Program(stage.root)("describe", "site", "alice").stdout
    assert f"Keys:\n  {key} belongs to uid {ALICE}, who can use and copy it\n" in shown
    key.chmod(0o644)
    report = stage.diff()
    assert told(report)[0] == ("install", "site/alice", "Drifted")
    assert described(report) == {str(key): "mode 0644 becomes 0600"}
    stage.settle()
    assert facts(key) == (ALICE, NOBODY, 0o600)

    # Alice puts a link where her certificate was, and root a file of its own: both are refused, and bob is served
    crt = homes["alice"] / "tls" / "site.crt"
    crt.unlink()
    crt.symlink_to("/etc/passwd")
    os.lchown(crt, ALICE, ALICE)
    (homes["bob"] / "tls" / "site.crt").unlink()
    report = stage.apply()[-1]
    (hold,) = [hold for (name, _), hold in held(report).items() if name == "alice"]
    assert f"{crt} is a link" in hold.message
    assert facts(homes["bob"] / "tls" / "site.crt") == (BOB, NOBODY, 0o644)
    crt.unlink()
    crt.write_text("root's")
    (hold,) = [hold for (name, _), hold in held(stage.diff()).items() if name == "alice"]
    assert f"belongs to uid 0 in a tree of uid {ALICE}; remove it" in hold.message
    assert crt.read_text() == "root's"
    crt.unlink()
    stage.settle()

    stage.write("sites.yaml", ca_site("bob"))
    stage.settle(Limits(removals=1))
    assert os.listdir(homes["alice"] / "tls") == []  # noqa: PTH208


def test_what_cannot_be_in_a_home_is_said_by_diff(stage: Stage) -> None:
    home = home_of(stage, "alice", ALICE)
    stage.write("issuer.yaml", document("Issuer", "ca", {"type": "ca", "commonName": "Home CA"}))
    targets: dict[str, dict[str, object]] = {
        "config": {"type": "nginx", "configDirectory": str(home / "tls"), "verify": {"mode": "off"}},
        "owner": {"type": "files", "key": {"path": f"{home}/tls/a.key", "owner": "nobody"}},
        "group": {"type": "files", "key": {"path": f"{home}/tls/b.key", "group": "daemon"}},
    }
    for name, spec in targets.items():
        stage.write(f"{name}.yaml", document("Target", name, spec), site(name, issuers=["ca"], targets=[name]))
    reports = stage.apply(Scope(full=True))
    holds = {name: hold.message for (name, _), hold in held(reports[-1]).items()}
    assert "who could have the server run anything" in holds["config"]
    assert f"so it is his and not uid {NOBODY}'s; leave `owner` out" in holds["owner"]
    assert "leave `group` out" in holds["group"]
    found = Program(stage.root)("preflight", "config").stdout
    assert f"it is in a tree of uid {ALICE}, who could have the server run anything" in found
    assert os.listdir(home / "tls") == []  # noqa: PTH208
