"""Rubbish in what is remembered of installed files: one site of one target waits, or heals by what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys.stage import ca_site, copy_target, document, held, told
from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

RUBBISH = (b"", b"rubbish", b'{"v": 1, "writtenBy": "0", "data": {"site": "other", "files": 3}}', b"\xff\x00" * 9000)


def record(stage: Stage, target: str = "copy", site: str = "a") -> Path:
    return stage.state / "inventory" / target / "sites" / f"{site}.json"


def put(path: Path, content: bytes) -> None:
    """Replace a file by a rename, as the store's specification demands of a person."""
    fresh = path.with_name(".fresh")
    fresh.write_bytes(content)
    fresh.rename(path)


def base(stage: Stage, *sites: dict[str, object], **target: object) -> None:
    stage.write("base.yaml", copy_target(stage.root / "copies", **target))
    stage.write("sites.yaml", *(sites or (ca_site("a"), ca_site("b"))))


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_it_heals_where_what_stands_there_is_what_is_wanted(stage: Stage, rubbish: bytes) -> None:
    base(stage)
    stage.settle()
    path = record(stage)
    good = path.read_bytes()
    put(path, rubbish)
    assert {one.message for one in stage.diff().plan.changes if one.verb == "install"} == {
        "it stands there already, and is not on our record: update 2 files"
    }
    stage.settle()
    assert path.read_bytes() == good


def test_a_record_that_is_lost_beside_a_renewal_heals_with_it(stage: Stage) -> None:
    base(stage)
    stage.settle()
    record(stage).unlink()
    base(stage, ca_site("a", annotations={"certwright/renewAt": "now"}), ca_site("b"))
    stage.settle()
    assert (stage.root / "copies" / "a.crt").read_bytes() == stage.path("a", "fullchain.pem").read_bytes()


def test_else_the_site_waits_on_that_target_alone(stage: Stage) -> None:
    more = document("Target", "more", {"type": "files", "key": str(stage.root / "{site}.more")})
    base(stage, ca_site("a", targets=["copy", "more"]), ca_site("b"))
    stage.write("more.yaml", more)
    stage.settle()
    crt, key = stage.root / "copies" / "a.crt", stage.root / "a.more"
    put(record(stage), b"rubbish")
    crt.write_text("somebody's\n")
    key.unlink()
    (stage.root / "copies" / "b.crt").unlink()
    (hold,) = held(stage.apply()[-1]).values()
    assert (hold.site, hold.target, hold.reason, hold.failed) == ("a", "copy", "StoreDamaged", True)
    assert f"{record(stage)} is damaged" in hold.message
    assert "restore it from a backup, or move it away" in hold.message
    assert crt.read_text() == "somebody's\n", "nothing tells that it is ours"
    assert key.exists()
    assert (stage.root / "copies" / "b.crt").exists()
    # as the hold says
    record(stage).unlink()
    assert ("a", "ForeignFile") in held(stage.diff())
    crt.unlink()
    stage.settle()


def test_a_site_that_leaves_or_goes_waits_too(stage: Stage) -> None:
    base(stage)
    stage.settle()
    good = record(stage).read_bytes()
    put(record(stage), b"rubbish")
    stage.write("more.yaml", document("Target", "more", {"type": "files", "key": str(stage.root / "{site}.more")}))
    base(stage, ca_site("a", targets=["more"]), ca_site("b"))
    assert ("a", "StoreDamaged") in held(stage.apply()[-1])
    base(stage, ca_site("b"))
    last = stage.apply(limits=Limits(removals=1))[-1]
    assert (told(last), list(held(last))) == ([], [("a", "StoreDamaged")])
    assert (stage.root / "copies" / "a.crt").exists()
    put(record(stage), good)
    stage.settle(Limits(removals=1))
    assert not (stage.root / "copies" / "a.crt").exists()


def test_a_change_of_the_target_is_no_moment_to_guess(stage: Stage) -> None:
    """Where the files were under the former spec, nobody knows."""
    base(stage)
    stage.settle()
    put(record(stage), b"rubbish")
    base(stage, key=str(stage.root / "copies" / "{site}.newkey"))
    assert list(held(stage.apply()[-1])) == [("a", "StoreDamaged")]
    assert not (stage.root / "copies" / "a.newkey").exists()
    assert (stage.root / "copies" / "b.newkey").exists()


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_a_targets_own_record(stage: Stage, rubbish: bytes) -> None:
    """A declared target says itself what it is; one that is not waits, with all that is still there."""
    base(stage)
    stage.settle()
    path = stage.state / "inventory" / "copy" / "target.json"
    good = path.read_bytes()
    put(path, rubbish)
    stage.settle()
    (stage.root / "copies" / "b.crt").unlink()
    stage.settle()
    assert path.read_bytes() != rubbish
    put(path, rubbish)
    other = document("Target", "other", {"type": "files", "key": str(stage.root / "{site}.other")})
    stage.write("base.yaml", other)
    stage.write("sites.yaml", ca_site("b", targets=["other"]))
    last = stage.apply(limits=Limits(removals=1))[-1]
    assert set(held(last)) == {("a", "StoreDamaged"), ("b", "StoreDamaged")}
    assert (stage.root / "b.other").exists(), "what it does not concern goes on"
    assert (stage.root / "copies" / "a.crt").exists()
    put(path, good)
    stage.settle(Limits(removals=1))
    assert not list((stage.root / "copies").iterdir())


def test_a_switch_that_cannot_be_read_stops_its_target_alone(stage: Stage) -> None:
    base(stage, ca_site("a"), ca_site("b", targets=["more"]))
    stage.write("more.yaml", document("Target", "more", {"type": "files", "key": str(stage.root / "{site}.more")}))
    stage.settle()
    switch = stage.state / "inventory" / "copy" / "switch.json"
    for make in (switch.mkdir, switch.touch):
        make()
        (stage.root / "b.more").unlink()
        (stage.root / "copies" / "a.crt").unlink()
        outcomes = {row[1]: row[2:] for row in stage.outcomes(stage.apply())}
        assert outcomes["site/b"][0] == "done"
        assert outcomes["site/a"][0] == "failed"
        assert "switch.json" in outcomes["site/a"][1]
        assert (stage.root / "b.more").exists()
        (switch.rmdir if switch.is_dir() else switch.unlink)()
        stage.settle()


def test_nginx_is_left_alone_and_its_files_are_taken_for_ours_again(street: Street) -> None:
    street.write(*(street.quick(name) for name in ("one", "two")))
    street.stage.settle()
    put(record(street.stage, "web", "one"), b"rubbish")
    good = (street.web.include / "one.conf").read_text()
    (street.web.include / "one.conf").write_text("# by hand\n")
    street.write(*(street.quick(name) for name in ("one", "two", "three")))
    assert ("one", "StoreDamaged") in held(street.stage.apply()[-1])
    street.assert_served("three")
    assert (street.web.include / "one.conf").read_text() == "# by hand\n"
    (street.web.include / "one.conf").write_text(good)
    street.stage.settle()
    for name in ("one", "two", "three"):
        street.assert_served(name)


def test_every_verb_goes_on(tmp_path: Path) -> None:
    program = Program(tmp_path).prepare()
    for name in ("a", "b"):
        program.site(name)
    assert program("apply").returncode == 0
    put(program.state / "inventory" / "disk" / "sites" / "a.json", b"rubbish")
    (program.out / "a.pem").write_text("somebody's")
    assert program("apply").returncode == 1
    for verb in ("diff", "status", "describe site a", "why a", "verify", "get holds", "renew b", "retry a"):
        done = program(*verb.split())
        assert done.returncode in {0, 1}, (verb, done.stdout + done.stderr)
        assert "Traceback" not in done.stdout + done.stderr
    assert "StoreDamaged" in program("status").stdout
    assert "a.json is damaged" in program("describe", "site", "a").stdout
