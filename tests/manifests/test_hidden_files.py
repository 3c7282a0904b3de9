"""Files of a tree that cannot be seen for a while are not deleted ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.errors import ManifestError
from tests.journeys.stage import document, site
from tests.manifests.lenient import Ground, digests, holds, server

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.ports import Declared


@pytest.fixture(params=[True, False], ids=["cache", "store"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    """Sites in three places: `c` in a directory of its own, `d` below another root."""
    made = Ground(tmp_path, cached=request.param)
    made.settings = replace(made.settings, roots=(*made.settings.roots, str(tmp_path / "more")))
    made.write("home.yaml", server())
    for name, file in {"a": "a.yaml", "b": "b.yaml", "c": "sub/c.yaml", "d": "../more/d.yaml"}.items():
        made.write(file, site(name))
    return made


def _outside(ground: Ground) -> None:
    ground.path("a.yaml").rename(ground.root / "a.yaml")
    ground.path("a.yaml").symlink_to(ground.root / "a.yaml")


def _unmounted(ground: Ground) -> None:
    (ground.root / "more").rename(ground.root / "elsewhere")


def _swapped(ground: Ground) -> None:
    ground.path("sub").rename(ground.root / "sub")
    ground.path("sub").symlink_to(ground.root / "sub")


HIDDEN: Final[dict[str, Callable[[Ground], None]]] = {"a": _outside, "c": _swapped, "d": _unmounted}


def assert_held(found: Declared, name: str, good: Declared) -> None:
    """See that the site goes on as it was, and is held; and that nothing is taken away."""
    assert digests(found) == digests(good)
    assert {site: hold[0] for site, hold in holds(found).items()} == {name: "InvalidManifest"}
    assert not found.complete


@pytest.mark.parametrize("name", HIDDEN)
def test_a_site_whose_file_cannot_be_seen_goes_on(ground: Ground, name: str) -> None:
    good = ground.read()
    assert set(good.sites) == set("abcd")
    HIDDEN[name](ground)
    for _ in range(2):
        assert_held(ground.read(), name, good)


def test_so_does_one_in_a_directory_that_may_not_be_listed(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ground.read()
    listing = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/sub"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert_held(ground.read(), "c", good)


def test_the_server_may_be_what_cannot_be_seen(ground: Ground) -> None:
    ground.write("home.yaml", server("other", issuers=["ca"]))
    ground.path("home.yaml").rename(ground.path("sub/home.yaml"))
    good = ground.read()
    _swapped(ground)
    found = ground.read()
    assert (digests(found), set(holds(found))) == (digests(good), set("abcd"))


def test_all_that_is_wrong_is_told_at_once(ground: Ground) -> None:
    ground.settings = replace(ground.settings, lenient=False)
    ground.read()
    _outside(ground)
    ground.write("b.yaml", "kind: [\n")
    with pytest.raises(ManifestError) as told:
        ground.read()
    assert {Path(problem.file).name for problem in told.value.problems} == {"a.yaml", "b.yaml"}


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("several", [False, True])
def test_a_root_that_is_empty_now_is_not_believed(tmp_path: Path, *, several: bool, cached: bool) -> None:
    ground = Ground(tmp_path, cached=cached)
    ground.write("home.yaml", server(issuers=["ca"]))
    ground.write("disk/a.yaml", site("a"))
    roots = (str(ground.path("disk")), str(ground.path("home.yaml")))[: 1 + several]
    ground.settings = replace(ground.settings, roots=roots)
    good = ground.read()
    assert set(good.sites) == {"a"}
    ground.path("disk/a.yaml").unlink()
    for _ in range(2):
        if several:
            found = ground.read()
            assert (set(found.sites), found.complete) == ({"a"}, False)
            assert "disk: holds no manifest, though it did" in holds(found)["a"][1]
        else:
            with pytest.raises(ManifestError, match="holds no manifest, though it did"):
                ground.read()


def test_an_empty_root_is_one_where_none_ever_was(tmp_path: Path) -> None:
    assert Ground(tmp_path).read().sites == {}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_a_file_that_is_empty_now_is_being_written(tmp_path: Path, text: str) -> None:
    ground = Ground(tmp_path)
    target = document("Target", "nginx", {"type": "files", "key": "/srv/{site}.key", "fullchain": "/srv/{site}.pem"})
    ground.write("home.yaml", server(issuers=["ca"]))
    ground.write("a.yaml", site("a", targets=["nginx"]))
    ground.write("target.yaml", target)
    good = digests(ground.read())
    for name in ("a.yaml", "target.yaml"):
        before = ground.path(name).read_text()
        ground.path(name).write_text(text)
        for _ in range(2):
            found = ground.read()
            assert (digests(found), found.complete) == (good, False)
            assert f"{name}:1:1: holds nothing, though it held" in holds(found)["a"][1]
        ground.path(name).write_text(before)
        assert (digests(mended := ground.read()), mended.held) == (good, ())
    ground.path("a.yaml").unlink()
    assert ground.read().sites == {}
