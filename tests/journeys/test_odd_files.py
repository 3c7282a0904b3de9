"""Something odd at one site's path in the state directory: that site is held and told, and the others go on."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys.stage import ca_site, copy_target, document, held
from tests.loop.street import Street, running, site
from tests.ordinary import UID, ordinary_program
from tests.program import Program
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.journeys.stage import Stage

FILES = ("status/{}.json", "desired/{}.json", "orders/{}/order.json", "orders/{}/pending.key", "locks/site/{}")
FOLDERS = ("orders/{}", "certificates/{}", "imports/{}")


def _socket(path: Path) -> None:
    here = os.getcwd()  # noqa: PTH109  a socket's name is short, so it is made from within its directory
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)
        made.bind(path.name)
        os.chdir(here)


KINDS: dict[str, Callable[[Path], object]] = {
    "a directory": lambda path: path.mkdir(),
    "a named pipe": os.mkfifo,
    "a symbolic link": lambda path: path.symlink_to("/etc/passwd"),
    "a socket": _socket,
    "a file": lambda path: path.write_text("x"),
}


class Planted:
    """Puts something at a path, and puts back what stood there."""

    def __init__(self, path: Path, make: Callable[[Path], object]) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self.path, self.aside = path, next(one for one in path.parents if one.name == "state").parent / "aside"
        if os.path.lexists(path):
            path.rename(self.aside)
        make(path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_failure: object) -> None:
        (self.path.rmdir if self.path.is_dir() and not self.path.is_symlink() else self.path.unlink)()
        if self.aside.exists():
            self.aside.rename(self.path)


def _base(stage: Stage) -> None:
    stage.write(
        "base.yaml",
        document("Issuer", "ca", {"type": "ca", "commonName": "Home CA"}),
        copy_target(stage.root / "copies"),
    )
    stage.write("sites.yaml", ca_site("a"), ca_site("b"))
    stage.settle()


@pytest.mark.parametrize("file", [*FILES, *FOLDERS])
def test_the_site_is_held_with_path_and_remedy_and_the_others_go_on(stage: Stage, file: str) -> None:
    _base(stage)
    path = stage.state / file.format("a")
    right = "a directory" if file in FOLDERS else "a file"
    for kind, make in KINDS.items():
        if kind == right:
            continue
        for name in ("a", "b"):
            (stage.root / "copies" / f"{name}.crt").write_text("someone's")
        with Planted(path, make):
            report = stage.apply()[-1]
            assert len(held(report)) == 1, held(report)
            (hold,) = held(report).values()
            assert (hold.site, hold.reason, hold.failed) == ("a", "StoreDamaged", True)
            assert hold.message == f"{path} is {kind}, where {right} of the store belongs; move it away"
            assert report.plan.changes == ()
            assert (stage.root / "copies" / "a.crt").read_text() == "someone's"
            assert (stage.root / "copies" / "b.crt").read_bytes() == stage.path("b", "fullchain.pem").read_bytes()
            if kind == "a symbolic link":
                assert Path("/etc/passwd").read_text().startswith("root:")
        stage.settle()


def test_a_directory_in_the_place_of_the_pointer_and_what_a_removal_does(stage: Stage) -> None:
    _base(stage)
    with Planted(stage.state / "live" / "a", KINDS["a directory"]):
        (hold,) = held(stage.apply()[-1]).values()
        assert f"{stage.state}/live/a is a directory, where a symbolic link of the store belongs" in hold.message
    stage.write("sites.yaml", ca_site("b"))
    with Planted(stage.state / "status" / "a.json", KINDS["a named pipe"]):
        report = stage.apply(limits=Limits(removals=1))[-1]
        (hold,) = held(report).values()
        assert (hold.site, hold.reason, report.plan.changes) == ("a", "StoreDamaged", ())
    stage.settle(Limits(removals=1))
    assert not (stage.state / "certificates" / "a").exists()


VERBS = (
    ("diff",),
    ("apply",),
    ("status",),
    ("get", "sites"),
    ("get", "certificates"),
    ("get", "holds"),
    ("get", "events"),
    ("describe", "site", "a"),
    ("why", "a"),
    ("verify",),
    ("preflight",),
    ("renew", "--all"),
    ("retry", "--all"),
)


@pytest.mark.parametrize("file", ["status/a.json", "certificates/a"])
def test_every_verb_goes_on_and_tells(tmp_path: Path, file: str) -> None:
    program = Program(tmp_path).prepare()
    for name in ("a", "b"):
        program.site(name)
    assert program("apply").returncode == 0
    with Planted(program.state / file, KINDS["a named pipe"]):
        assert program("apply").returncode == 1
        for verb in VERBS:
            done = program(*verb)
            told = done.stdout + done.stderr
            assert "Traceback" not in told, (verb, told)
            assert "bug" not in told.lower(), (verb, told)
            assert done.returncode in {0, 1}, (verb, done.returncode, told)
            if verb[0] in {"diff", "apply", "describe", "renew", "retry"}:
                assert f"{program.state}/{file} is a named pipe" in told, (verb, told)
            if verb[0] == "status":
                assert "1 ready" in told
                assert "StoreDamaged" in told
                assert f"certwright {program.flags()} describe site a names it" in told
        for verb in (("rollback", "a"), ("challenges", "a"), ("solve", "a"), ("request", "a")):
            done = program(*verb)
            assert done.returncode == 3, (verb, done.stdout)
            assert f"{program.state}/{file} is a named pipe" in done.stderr
        ready = {
            one["metadata"]["name"]: one["status"]["conditions"][0] for one in program.json("get", "sites")["items"]
        }
        assert ready["a"]["status"] == "False"
        assert ready["a"]["reason"] == "StoreDamaged"
        assert ready["b"]["status"] == "True"
    assert program("apply").returncode == 0
    assert json.loads(program("diff", "-o", "json").stdout)["holds"] == []


def test_run_goes_on(tmp_path: Path) -> None:
    street = Street(tmp_path)
    for name in ("one", "two"):
        street.write(name, site(name))
    with running(street) as process:
        until(lambda: street.installed("one").exists() and street.installed("two").exists(), "both are installed")
        with Planted(Path(street.state) / "status" / "one.json", KINDS["a directory"]):
            street.write("one", site("one", hostnames="one.example.com, www.example.com"))
            until(lambda: process.says("StoreDamaged site/one"), "the hold begins")
            street.installed("two").unlink()
            until(street.installed("two").exists, "the other site is repaired")
            before = street.installed("one").read_bytes()
        street.write("one", site("one", hostnames="one.example.com, more.example.com"))
        until(lambda: street.installed("one").read_bytes() != before, "the mended site converges")
        assert process.stop() == 0
    assert "Traceback" not in process.log


@pytest.fixture(name="ordinary")
def _ordinary() -> Iterator[Program]:
    with ordinary_program() as program:
        for name in ("a", "b"):
            program.site(name)
        yield program


def test_what_an_ordinary_user_may_not_read_holds_one_site(ordinary: Program) -> None:
    done = ordinary("apply")
    assert done.returncode == 0, done.stdout + done.stderr
    for file in ("status/a.json", "desired/a.json", "certificates/a", "orders/a"):
        path = ordinary.state / file
        if not path.exists():
            path.mkdir(mode=0o700)
            os.chown(path, UID, UID)
        usual = 0o700 if path.is_dir() else 0o600
        for owner, mode in ((0, usual), (UID, 0o000)):
            os.chown(path, owner, owner)
            path.chmod(mode)
            (ordinary.out / "b.pem").unlink()
            done = ordinary("apply")
            assert done.returncode == 1, done.stdout + done.stderr
            words = f"{path} cannot be read by uid {UID} (owner {owner}, mode {mode:04o}); chown it to uid {UID}"
            assert words in done.stdout
            assert (ordinary.out / "b.pem").exists()
            os.chown(path, UID, UID)
            path.chmod(usual)
    assert ordinary("apply").returncode == 0
