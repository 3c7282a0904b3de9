"""A disk that is full, read-only or somebody else's: said in a sentence, nothing half-written, well afterwards."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

import pytest

from reconciler.errors import StoreError
from tests.journeys.stage import SERVER, Stage, ca_site, copy_target, document, held
from tests.mounts import fill, in_memory, mounted

LATER = timedelta(minutes=10)


def write(stage: Stage, *hostnames: str) -> None:
    stage.write(
        "all.yaml",
        document("Server", "home", SERVER),
        copy_target(stage.root / "out"),
        ca_site("one", *hostnames),
        ca_site("two"),
    )


def test_full_state_directory(stage: Stage) -> None:
    with mounted(stage.state, *in_memory("size=4m,mode=700")):
        write(stage)
        stage.settle()
        before = stage.live("one")
        copied = (stage.root / "out" / "one.crt").read_bytes()
        ballast = fill(stage.state)
        write(stage, "one.example.com", "www.example.com")
        with pytest.raises(StoreError, match="full"):
            stage.apply()
        assert stage.live("one").id == before.id
        assert (stage.root / "out" / "one.crt").read_bytes() == copied
        assert [path.name for path in (stage.state / "certificates" / "one").iterdir()] == [before.id]
        assert stage.diff().plan.changes, "looking needs no space"
        ballast.unlink()
        stage.shift = LATER
        stage.settle()
        assert stage.live("one").facts.hostnames == ("one.example.com", "www.example.com")


def test_full_disk_of_the_target(stage: Stage) -> None:
    out = stage.root / "out"
    with mounted(out, *in_memory("size=64k,mode=700")):
        write(stage)
        stage.settle()
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        ballast = fill(out)
        write(stage, "one.example.com", *(f"n{number}.example.com" for number in range(60)))
        reports = stage.apply()
        [install] = [
            one for one in reports[0].outcomes if (one.change.verb, one.change.subject) == ("install", "site/one")
        ]
        assert (install.status, install.reason) == ("failed", "DiskFull")
        assert str(out) in install.message
        assert held(reports[-1])["one", "DiskFull"].message.endswith("free some space or inodes there")
        ballast.unlink()
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before, "nothing is half-written"
        assert [hold.site for hold in held(stage.diff()).values()] == ["one"]
        stage.shift = LATER
        stage.settle()
        assert out.joinpath("one.crt").read_bytes() == stage.path("one", "fullchain.pem").read_bytes()
    write(stage)


def test_disk_is_full_in_the_middle_of_ten_files(stage: Stage) -> None:
    """Room for three of ten: a site has both its files or none, those without are told, and space heals it."""
    out, names = stage.root / "out", ("one", "two", "three", "four", "five")
    with mounted(out, *in_memory("size=64k,mode=700")):
        ballast = fill(out)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - 3 * 4096)
        stage.write("all.yaml", document("Server", "home", SERVER), copy_target(out), *map(ca_site, names))
        reports = stage.apply()
        done = {
            one.change.site: one.status
            for one in reports[0].outcomes
            if one.change.verb == "install" and one.reason in (None, "", "DiskFull")
        }
        there = {path.name for path in out.iterdir() if path.suffix in (".key", ".crt")}
        for name in names:
            assert {f"{name}.key", f"{name}.crt"} & there in (set(), {f"{name}.key", f"{name}.crt"}), name
        assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [], "nothing half-written stays"
        assert "failed" in set(done.values())
        ballast.unlink()
        stage.shift = LATER
        stage.settle()
        for name in names:
            assert (out / f"{name}.crt").read_bytes() == stage.path(name, "fullchain.pem").read_bytes()
            assert (out / f"{name}.key").read_bytes() == stage.path(name, "privkey.pem").read_bytes()


def test_read_only_state_directory(stage: Stage) -> None:
    with mounted(stage.state, *in_memory("size=4m,mode=700")):
        write(stage)
        stage.settle()
        subprocess.run(["mount", "-o", "remount,ro", str(stage.state)], check=True)
        stage.assert_calm()
        with pytest.raises(StoreError, match="read-only"):
            stage.apply()
        subprocess.run(["mount", "-o", "remount,rw", str(stage.state)], check=True)
        stage.settle()


def test_state_directory_of_somebody_else(stage: Stage) -> None:
    write(stage)
    stage.settle()
    os.chown(stage.state, 65534, 65534)
    with pytest.raises(StoreError, match="belongs to uid 65534"):
        stage.apply()


def test_state_directory_of_a_newer_version(stage: Stage) -> None:
    write(stage)
    stage.settle()
    (stage.state / "VERSION").write_text("99\n")
    for what in (stage.apply, stage.diff):
        with pytest.raises(StoreError, match="99"):
            what()


def test_state_directory_that_is_no_state_directory(stage: Stage) -> None:
    write(stage)
    stage.state.mkdir()
    (stage.state / "letters").write_text("private")
    with pytest.raises(StoreError, match="not empty"):
        stage.apply()
    assert [path.name for path in stage.state.iterdir()] == ["letters"]
