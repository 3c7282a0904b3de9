"""R22: a directory that others may write to is refused by name; in a sticky one the owner of the next part decides."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.files import api as files
from tests.mounts import mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TENANT = 60001

OPEN = [0o777, 0o757, 0o707, 0o733, 0o773, 0o2777]
SAFE = [0o755, 0o750, 0o700, 0o711, 0o2755, 0o1755]
SHARED = [0o1777, 0o1733, 0o3777]
GROUP = [0o775, 0o770, 0o2775]


def write(directory: Path) -> None:
    files.write_file(str(directory / "inner" / "file"), b"x", mode=0o600)


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    (tmp_path / "ground" / "inner").mkdir(parents=True)
    return tmp_path / "ground"


@pytest.mark.parametrize("mode", [*OPEN, *GROUP], ids=oct)
def test_a_directory_that_others_may_write_to_is_refused_by_name(ground: Path, mode: int) -> None:
    ground.chmod(mode)
    told = f"^{re.escape(str(ground))} can be written by others .mode {mode:04o}.; run: chmod go-w on it"
    with pytest.raises(files.FileFailed, match=told) as caught:
        write(ground)
    assert caught.value.reason == "PathRefused"
    assert not (ground / "inner" / "file").exists()


@pytest.mark.parametrize("mode", [*SAFE, *SHARED], ids=oct)
def test_a_directory_that_only_its_owner_may_change_is_walked(ground: Path, mode: int) -> None:
    ground.chmod(mode)
    write(ground)
    assert (ground / "inner" / "file").read_bytes() == b"x"


def test_the_final_directory_is_judged_too(ground: Path) -> None:
    (ground / "inner").chmod(0o777)
    with pytest.raises(files.FileFailed, match="inner can be written by others"):
        write(ground)


def test_a_directory_is_made_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with files.open_directory(str(tmp_path / "a" / "b"), make=True, mode=0o751):
            assert [oct(path.stat().st_mode & 0o7777) for path in (tmp_path / "a", tmp_path / "a" / "b")] == [
                "0o751"
            ] * 2
    finally:
        os.umask(before)


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    with files.open_directory(str(tmp_path / "a"), make=True, mode=0o755):
        assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize("owner", [0, TENANT])
def test_in_a_shared_directory_the_owner_of_the_next_part_decides(ground: Path, owner: int) -> None:
    ground.chmod(0o1777)
    os.chown(ground / "inner", owner, owner)
    write(ground)
    assert (ground / "inner" / "file").stat().st_uid == owner


def test_what_a_tenant_opens_to_others_in_his_tree_is_his_affair_and_can_be_read(ground: Path) -> None:
    (ground / "inner" / "file").write_bytes(b"x")
    (ground / "inner").chmod(0o777)
    os.chown(ground, TENANT, TENANT)
    assert files.read_file(str(ground / "inner" / "file")) == b"x"


@contextmanager
def tenants_mount(place: Path, *how: str) -> Iterator[Path]:
    with mounted(place, *how):
        os.chown(place, TENANT, TENANT)
        yield place


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_file_system_mounted_in_a_tenants_tree_is_refused_by_name(ground: Path, tmp_path: Path, kind: str) -> None:
    os.chown(ground, TENANT, TENANT)
    (tmp_path / "elsewhere").mkdir()
    how = ["--bind", str(tmp_path / "elsewhere")] if kind == "bind" else ["-t", "tmpfs", "certwright"]
    with tenants_mount(ground / "inner", *how) as place:
        same_device = place.stat().st_dev == ground.stat().st_dev
        assert same_device == (kind == "bind")  # so the device alone would not tell
        told = f"^{re.escape(str(place))} is another file system in a tree of uid {TENANT}; use a directory outside"
        for attempt in (
            lambda: write(ground),
            lambda: files.read_file(str(place / "file")),
            lambda: files.list_directory(str(place)),
            lambda: files.born_at(str(place / "file")),
        ):
            with pytest.raises(files.FileFailed, match=told):
                attempt()
        assert list(place.iterdir()) == []


def test_a_tree_that_is_itself_a_mount_is_the_tenants(ground: Path) -> None:
    with tenants_mount(ground / "inner", "-t", "tmpfs", "certwright"):
        write(ground)
        assert (ground / "inner" / "file").stat().st_uid == TENANT


def test_a_mount_on_trusted_ground_is_walked(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with tenants_mount(ground / "inner", "--bind", str(tmp_path / "elsewhere")):
        os.chown(ground / "inner", 0, 0)
        write(ground)
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"x"
