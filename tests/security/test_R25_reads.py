"""R25: reading what somebody else put there neither hangs, nor fills memory, nor touches a device."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.files import api as files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEBIBYTE = 1 << 20


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


MADE: list[tuple[Callable[[Path], None], str]] = [
    (os.mkfifo, "is not a regular file"),
    (bound_socket, "is not a regular file"),
    (os.mkdir, "is not a regular file"),
    (sparse, "has 1073741824 bytes, more than the 1048576 allowed"),
    (link, "is a symbolic link"),
]


@pytest.mark.parametrize(("make", "told"), MADE)
def test_refused_at_once(tmp_path: Path, make: Callable[[Path], None], told: str) -> None:
    make(tmp_path / "thing")
    started = time.monotonic()
    with pytest.raises(files.FileFailed, match=told):
        files.read_file(str(tmp_path / "thing"))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_refused(path: str) -> None:
    with pytest.raises(files.FileFailed, match="not a regular file"):
        files.read_file(path)


def test_a_file_that_tells_no_size_is_bounded_all_the_same() -> None:
    assert files.read_file(f"/proc/{os.getpid()}/status").startswith(b"Name:")
    with pytest.raises(files.FileFailed, match="has more than the 10 bytes allowed"):
        files.read_file(f"/proc/{os.getpid()}/status", 10)


@pytest.mark.parametrize(("size", "passes"), [(0, True), (MEBIBYTE, True), (MEBIBYTE + 1, False)])
def test_the_limit_is_exact(tmp_path: Path, size: int, *, passes: bool) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    if passes:
        assert len(files.read_file(str(tmp_path / "file"))) == size
    else:
        with pytest.raises(files.FileFailed, match="make it smaller"):
            files.read_file(str(tmp_path / "file"))


def test_several_names_are_refused_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    os.link(tmp_path / "file", tmp_path / "other")
    assert files.read_file(str(tmp_path / "file")) == b"x"
    with pytest.raises(files.FileFailed, match="has 2 names"):
        files.read_file(str(tmp_path / "file"), one_name=True)


def test_several_names_are_always_refused_in_a_tenants_tree(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "shadow").write_bytes(b"secret")
    os.link(tmp_path / "shadow", home / "file")
    os.chown(home, 60001, 60001)
    with pytest.raises(files.FileFailed, match="has 2 names"):
        files.read_file(str(home / "file"))
