"""A tree that is written while it is read, by verbs that refuse what is wrong: it is read once more."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.verbs.validate import NoCache
from reconciler.errors import ManifestError
from reconciler.manifests import reading, walking
from tests.journeys.stage import site
from tests.manifests.kept_tree import SPLIT, Ground
from tests.manifests.lenient import Ground as Lenient
from tests.manifests.lenient import server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.errors import Problem


@pytest.fixture(name="ground")
def _ground(tmp_path: Path) -> Ground:
    ground = Ground(tmp_path, SPLIT)
    ground.write()
    return ground


def at_the_first_reading(patch: pytest.MonkeyPatch, path: Path, before: Callable[[], None]) -> None:
    """Do something right before a file is read for the first time."""
    reads: list[str] = []

    def read(name: str) -> bytes | Problem:
        if name == str(path) and not reads:
            reads.append(name)
            before()
        return walking.read(name)

    patch.setattr(reading, "read", read)


@pytest.mark.parametrize("file", ["one.yaml", "base.yaml"])
def test_a_file_that_is_taken_away_and_made_anew_is_no_problem(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    path = ground.manifests / file
    text = path.read_text()
    timer = threading.Timer(0.1, path.write_text, (text,))

    def replace() -> None:
        path.unlink()
        timer.start()

    at_the_first_reading(monkeypatch, path, replace)
    assert ground.tree(NoCache()).refresh().keys() >= {"one", "two"}
    timer.join()


def test_a_file_that_is_written_meanwhile_is_no_problem(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ground.manifests / "one.yaml"
    text = path.read_text()
    path.write_text(text[:-20])
    timer = threading.Timer(0.1, path.write_text, (text,))

    def begin() -> None:
        path.write_text(text[:-10])
        timer.start()

    at_the_first_reading(monkeypatch, path, begin)
    assert ground.tree(NoCache()).refresh().keys() >= {"one", "two"}
    timer.join()


def test_a_file_that_stays_away_is_told_and_no_sign_that_its_site_shall_go(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ground.manifests / "one.yaml"
    at_the_first_reading(monkeypatch, path, path.unlink)
    with pytest.raises(ManifestError, match="no such file"):
        ground.tree(NoCache()).refresh()


def test_a_file_that_is_away_for_a_moment_removes_no_site(ground: Ground) -> None:
    """As while a checkout of git's puts a newer one there; what stays away is gone."""
    path = ground.manifests / "one.yaml"
    text = path.read_text()
    assert ground.kept().keys() == {"one", "two"}
    path.unlink()
    timer = threading.Timer(0.1, path.write_text, (text,))
    timer.start()
    assert ground.kept().keys() == {"one", "two"}
    timer.join()
    path.unlink()
    assert ground.kept().keys() == {"two"}


@pytest.mark.parametrize("root", ["tree", "tree/all.yaml"])
def test_the_only_file_may_be_away_for_a_moment_where_one_goes_on_beside_what_is_broken(
    tmp_path: Path, root: str
) -> None:
    """`wait` and `run` look at the tree again and again: a manifest that an editor writes anew must not end them."""
    lenient = Lenient(tmp_path)
    lenient.settings = replace(lenient.settings, roots=(str(tmp_path / root),))
    lenient.write("all.yaml", server(issuers=["ca"]), site("a"))
    assert lenient.read().complete
    text = lenient.path("all.yaml").read_text()
    lenient.path("all.yaml").unlink()
    timer = threading.Timer(0.1, lenient.path("all.yaml").write_text, (text,))
    timer.start()
    assert lenient.read().complete
    timer.join()
    lenient.path("all.yaml").unlink()
    with pytest.raises(ManifestError):
        lenient.read()
