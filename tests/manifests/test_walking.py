"""What a tree may hold besides plain files, how its roots may be named, and standard input."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from reconciler.cli.start import start
from reconciler.manifests.walking import STDIN_NAME, walk
from tests.journeys.stage import document, site

if TYPE_CHECKING:
    from collections.abc import Sequence


def problems(tree: Path) -> dict[str, str]:
    """Give what is wrong with the files of a tree, by their names."""
    return {Path(one.file).name: one.message for one in walk([str(tree)]).problems}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a file and a directory with another."""
    made = tmp_path / "tree"
    (made / "sub").mkdir(parents=True)
    for path in (made / "a.yaml", made / "sub" / "b.yaml", tmp_path / "outside.yaml"):
        path.write_text("")
    return made


def test_each_link_is_told_for_what_it_is(tree: Path) -> None:
    links = {
        "loop.yaml": "loop.yaml",
        "gone.yaml": "missing.yaml",
        "far.yaml": "../outside.yaml",
        "near": "sub",
        "away": "..",
        "near.yaml": "sub/b.yaml",
        "loop": "loop",
        "gone": "missing",
        "far": "../outside.yaml",
    }
    for name, target in links.items():
        (tree / name).symlink_to(target)
    directory = "is a symbolic link to a directory"
    assert problems(tree) == {
        "loop.yaml": "is a symbolic link that leads back to itself: mend it, or remove it",
        "gone.yaml": "is a symbolic link that leads nowhere: mend it, or remove it",
        "far.yaml": "is a symbolic link that leaves the tree; copy the file",
        "near": f"{directory} of the tree, whose files are read there; remove the link",
        "away": f"{directory} outside of the tree; copy it, or name it with a further -f",
    }
    names = {str(Path(path).relative_to(tree)) for path in walk([str(tree)]).files}
    assert names == {"a.yaml", "near.yaml", "sub/b.yaml"}


def test_a_name_that_is_not_utf_8_is_a_problem(tree: Path) -> None:
    for name in (b"\xff.yaml", b"\xe9", "é.yaml".encode()):
        path = Path(os.fsdecode(bytes(tree) + b"/" + name))
        path.mkdir() if name == b"\xe9" else path.touch()
    told = "has a name that is not UTF-8: rename it"
    assert problems(tree) == {r"\xff.yaml": told, r"\xe9": told}
    assert start(["-f", str(tree), "validate"]) == 2
    assert problems(Path(os.fsdecode(bytes(tree) + b"/\xe9"))) == {r"\xe9": told}


def test_a_root_may_lead_upwards(tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = {str(tree / "a.yaml"), str(tree / "sub" / "b.yaml")}
    monkeypatch.chdir(tree / "sub")
    assert walk([".."]).files.keys() == walk(["../../tree"]).files.keys() == wanted
    (tmp_path / "link").symlink_to("tree/sub")
    assert walk([str(tmp_path / "link" / ".." / "a.yaml")]).files.keys() == {str(tree / "a.yaml")}
    (tmp_path / "current").symlink_to("tree")
    kept = {str(tmp_path / "current" / "a.yaml"), str(tmp_path / "current" / "sub" / "b.yaml")}
    assert walk([str(tree / ".." / "current")]).files.keys() == kept


def test_a_tree_above_can_be_used(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = {"file": "vhost.j2"}
    target = document("Target", "web", {"type": "nginx", "layout": "vhost", "template": template})
    (tree / "a.yaml").write_text(yaml.safe_dump_all([target, site("a", targets=["web"])]))
    (tree / "vhost.j2").write_text("")
    monkeypatch.chdir(tree / "sub")
    assert start(["-f", "../../tree", "validate"]) == 0


# --- standard input --------------------------------------------------------------------------------------------------


def give(monkeypatch: pytest.MonkeyPatch, *documents: object) -> None:
    """Put manifests on standard input."""
    raw = yaml.safe_dump_all(documents).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


FLEET = [document("Server", f"svr{number}", {"hostname": f"svr{number}.example.com"}) for number in (1, 2)]
MINE = document("Issuer", "mine", {"type": "ca", "commonName": "of the test"})


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (["validate"], "valid: 2 sites"),
        (["get", "issuers"], "mine"),
        (["describe", "issuer", "mine"], "of the test"),
    ],
)
def test_what_standard_input_gave_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    verb: Sequence[str],
    told: str,
) -> None:
    sites = [site(name, servers=["svr1"]) for name in "ab"]
    give(monkeypatch, *FLEET, MINE, *sites)
    server = [] if verb == ["validate"] else ["--server", "svr1"]
    start(["-f", "-", "--state", str(tmp_path / "state"), *verb, *server])
    assert told in capsys.readouterr().out


def test_standard_input_has_the_bound_of_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give(monkeypatch, "#" * (1 << 20))
    assert start(["-f", "-", "validate"]) == 2
    assert f"{STDIN_NAME}: has more than the 1048576 bytes allowed" in capsys.readouterr().err


def test_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert start(["-f", "-", "validate"]) == 2
    assert f"{STDIN_NAME}: cannot be read: it is closed" in capsys.readouterr().err
