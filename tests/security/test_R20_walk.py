"""R20: nobody who can swap a part of a path for a link, or put a link there, steers a read or a write."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.files import api as files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TENANT = 60001
SWAPS = 20_000
SECONDS = 5.0

# Swaps `spot` between a directory and a link, as fast as it can; a name missing for a moment is part of it.
SWAPPER = """
import os, sys, time
os.chdir(sys.argv[1])
end = time.monotonic() + float(sys.argv[3])
for _ in range(int(sys.argv[2])):
    os.rename("spot", "away"); os.rename("link", "spot")
    os.rename("spot", "link"); os.rename("away", "spot")
    if time.monotonic() > end:
        break
"""


def refusal(path: Path | str, *, follow: bool = False) -> str:
    with pytest.raises(files.FileFailed) as caught:
        files.read_file(str(path), follow=follow)
    assert caught.value.reason == "PathRefused"
    return str(caught.value)


@pytest.fixture
def swapped(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """Give a tree in which `spot` is now the directory with `innocent`, now a link to `secret`."""
    tree, secret = tmp_path / "tree", tmp_path / "secret"
    (tree / "spot").mkdir(parents=True)
    secret.mkdir()
    (tree / "spot" / "file").write_bytes(b"innocent")
    (secret / "file").write_bytes(b"secret")
    (tree / "link").symlink_to(secret)
    os.lchown(tree / "link", TENANT, TENANT)
    child = subprocess.Popen([sys.executable, "-c", SWAPPER, str(tree), str(SWAPS), str(SECONDS)])
    try:
        yield tree, child
    finally:
        child.kill()
        child.wait()


def while_swapped(child: subprocess.Popen[bytes], work: Callable[[], object], *, least: int) -> None:
    """Work as long as the swaps go on: it must be done so often at least, and refused so often."""
    done, refused = 0, 0
    while child.poll() is None:
        try:
            work()
            done += 1
        except files.FileFailed:
            refused += 1
            time.sleep(0)
    assert child.returncode == 0, "the swapper itself failed"
    assert min(done, refused) >= least, (done, refused)


def test_read_is_never_steered_by_a_swap(swapped: tuple[Path, subprocess.Popen[bytes]]) -> None:
    tree, child = swapped
    seen: set[bytes] = set()
    while_swapped(child, lambda: seen.add(files.read_file(str(tree / "spot" / "file"))), least=50)
    assert seen == {b"innocent"}


def test_read_in_a_tenants_tree_is_never_steered_by_a_swap(swapped: tuple[Path, subprocess.Popen[bytes]]) -> None:
    tree, child = swapped
    os.chown(tree, TENANT, TENANT)
    seen: set[bytes] = set()
    while_swapped(child, lambda: seen.add(files.read_file(str(tree / "spot" / "file"))), least=50)
    assert seen == {b"innocent"}


def test_write_is_never_steered_by_a_swap(swapped: tuple[Path, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    tree, child = swapped
    while_swapped(child, lambda: files.write_file(str(tree / "spot" / "new"), b"ours", mode=0o600), least=3)
    assert os.listdir(tmp_path / "secret") == ["file"]  # noqa: PTH208


def test_link_of_somebody_else_in_our_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    os.lchown(tmp_path / "link", TENANT, TENANT)
    assert f"made by uid {TENANT}" in refusal(tmp_path / "link" / "file")


def test_no_link_is_followed_below_a_tenants_first_directory_even_roots(tmp_path: Path) -> None:
    (tmp_path / "home" / "etc").mkdir(parents=True)
    (tmp_path / "home" / "etc" / "file").write_bytes(b"x")
    (tmp_path / "home" / "link").symlink_to("etc")
    (tmp_path / "home" / "etc" / "alias").symlink_to("file")
    os.chown(tmp_path / "home", TENANT, TENANT)
    assert files.read_file(str(tmp_path / "home" / "etc" / "file")) == b"x"
    assert f"in a tree of uid {TENANT}" in refusal(tmp_path / "home" / "link" / "file")
    assert f"in a tree of uid {TENANT}" in refusal(tmp_path / "home" / "etc" / "alias", follow=True)


def test_write_in_a_tenants_tree_is_never_steered_by_a_swap(
    swapped: tuple[Path, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    tree, child = swapped
    for path in (tree, tree / "spot"):
        os.chown(path, TENANT, TENANT)
    while_swapped(child, lambda: files.write_file(str(tree / "spot" / "new"), b"his", mode=0o600), least=3)
    assert os.listdir(tmp_path / "secret") == ["file"]  # noqa: PTH208


def test_hard_link_to_a_link_of_roots_in_a_shared_directory_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "etc").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "etc")
    os.link(tmp_path / "link", shared / "planted", follow_symlinks=False)
    assert "several names in a shared directory" in refusal(shared / "planted" / "file")


def test_file_of_somebody_else_in_a_shared_directory_is_not_replaced(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "theirs").write_bytes(b"theirs")
    os.chown(tmp_path / "theirs", TENANT, TENANT)
    with pytest.raises(files.FileFailed, match=f"belongs to uid {TENANT}"):
        files.write_file(str(tmp_path / "theirs"), b"x", mode=0o600)
    assert files.write_file(str(tmp_path / "ours"), b"x", mode=0o600).size == 1


@pytest.mark.parametrize("text", ["real", "./real", "../{name}/real", "{tmp}/real", "one/../real/", "chain"])
def test_our_own_link_is_followed_by_walking_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "chain").symlink_to("real")
    (tmp_path / "real" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(text.format(tmp=tmp_path, name=tmp_path.name))
    assert files.read_file(str(tmp_path / "link" / "file")) == b"x"


def test_a_link_in_the_last_place_is_followed_only_if_asked(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "cert1.pem").write_bytes(b"x")
    (tmp_path / "cert.pem").symlink_to("archive/cert1.pem")
    assert "is a symbolic link, which is not followed here" in refusal(tmp_path / "cert.pem")
    assert files.read_file(str(tmp_path / "cert.pem"), follow=True) == b"x"
    kinds = [files.stat_file(str(tmp_path / "cert.pem"), follow=follow) for follow in (False, True)]
    assert [facts.kind for facts in kinds if facts is not None] == ["link", "file"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "one symbolic link too many" in refusal(tmp_path / "a" / "file")
    assert "one symbolic link too many" in refusal(tmp_path / "a", follow=True)


def test_eight_links_are_followed_and_nine_are_not(tmp_path: Path) -> None:
    (tmp_path / "l0").mkdir()
    (tmp_path / "l0" / "file").write_bytes(b"x")
    for number in range(1, 10):
        (tmp_path / f"l{number}").symlink_to(f"l{number - 1}")
    assert files.read_file(str(tmp_path / "l8" / "file")) == b"x"
    assert "too many" in refusal(tmp_path / "l9" / "file")


def test_a_link_cannot_lead_out_of_a_base_by_dots(tmp_path: Path) -> None:
    (tmp_path / "base" / "in").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "base" / "in" / "file").write_bytes(b"y")
    (tmp_path / "base" / "out").symlink_to("..")
    (tmp_path / "base" / "in" / "back").symlink_to("../in")
    with files.open_directory(str(tmp_path / "base")) as base:
        with pytest.raises(files.FileFailed, match="leads out"):
            files.read_file("out/file", base=base)
        assert files.read_file("in/back/file", base=base) == b"y"


@pytest.mark.parametrize("path", ["a", "", "/a/../b", "/a/./b", "//a", "/a//b", "/a\0b", "/..", "/" + "a/" * 3000])
def test_paths_that_the_kernel_would_read_otherwise_are_refused(path: str) -> None:
    assert refusal(path)


def test_a_link_to_a_directory_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "up").symlink_to("..")
    assert "link to a directory" in refusal(tmp_path / "up", follow=True)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    (tmp_path / "file").write_bytes(b"x")
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    for _ in range(3):
        refusal(tmp_path / "a" / "x")
        refusal(tmp_path / "file" / "x")
        files.read_file(str(tmp_path / "file"))
        files.write_file(str(tmp_path / "file"), b"y", mode=0o600)
        with files.open_directory(str(tmp_path / "made" / "deep"), make=True) as made:
            files.remove_leftovers("", base=made)
        files.remove_file(str(tmp_path / "file"))
        (tmp_path / "file").write_bytes(b"x")
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
