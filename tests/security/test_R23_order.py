"""R23: a file is replaced by a finished new one: never opened for writing, seen half done or lost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.files import api as files

if TYPE_CHECKING:
    from pathlib import Path

CALLS = "openat,fchown,fchmod,write,fsync,rename,renameat,renameat2,unlinkat,chmod,fchmodat,chown,fchownat,linkat"
WRITE_ONE = """
import os, sys
from reconciler.doors.files import api
api.write_file(sys.argv[1], b"CONTENT", mode=0o640, uid=os.getuid(), gid=os.getgid())
"""


def traced(tmp_path: Path, program: str, path: Path, *inject: str) -> tuple[int, str]:
    log = tmp_path / "strace.log"
    python = os.path.realpath(sys.executable)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={CALLS}", *inject, python, "-c", program, str(path)]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=False)
    return done.returncode, log.read_text() + done.stderr.decode()


def test_order_of_system_calls(tmp_path: Path) -> None:
    path = tmp_path / "target" / "site.conf"
    path.parent.mkdir()
    path.write_bytes(b"old")
    code, log = traced(tmp_path, WRITE_ONE, path)
    assert code == 0, log
    ours = [line.split(maxsplit=1)[1] for line in log.splitlines() if str(path.parent) in line]
    ours = ours[next(index for index, line in enumerate(ours) if "O_EXCL" in line) :]
    kept = [line for line in ours if not line.startswith("openat") or "O_CREAT" in line]
    names = [line.partition("(")[0].removesuffix("at2").removesuffix("at") for line in kept]
    assert names == ["open", "fchown", "fchmod", "write", "fsync", "rename", "fsync"]
    opened, _, mode, write, flushed, renamed, directory = kept
    assert re.search(r"O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW\|O_CLOEXEC, 0600", opened)
    assert '".certwright-' in opened
    assert "0640" in mode
    assert '"CONTENT"' in write
    assert "certwright-" in flushed
    assert '"site.conf"' in renamed
    assert f"<{path.parent}>" in directory
    assert not re.search(r'"[^"]*site\.conf", O_[A-Z_|]*(WRONLY|RDWR)', log)
    assert path.read_bytes() == b"CONTENT"


@pytest.mark.parametrize("call", ["fchown", "fchmod", "fsync", "renameat"])
def test_an_error_at_any_step_leaves_the_old_file_and_nothing_else(tmp_path: Path, call: str) -> None:
    path = tmp_path / "target" / "site.conf"
    path.parent.mkdir()
    path.write_bytes(b"old")
    which = "rename,renameat,renameat2" if call == "renameat" else call
    code, log = traced(tmp_path, WRITE_ONE, path, "-e", f"inject={which}:error=EIO:when=1")
    assert code == 1
    assert "FileFailed: cannot write" in log
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["site.conf"]


def test_killed_before_the_rename_the_old_file_stands_and_the_rest_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "target" / "site.conf"
    path.parent.mkdir()
    path.write_bytes(b"old")
    traced(tmp_path, WRITE_ONE, path, "-e", "inject=rename,renameat,renameat2:signal=SIGKILL:error=EIO:when=1")
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 2
    (path.parent / ".certwright-mine").write_bytes(b"not of our pattern")
    assert files.remove_leftovers(str(path.parent)) == 1
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".certwright-mine", "site.conf"]


def test_the_other_name_of_a_hard_link_stays_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_bytes(b"root's")
    (tmp_path / "shadow").chmod(0o600)
    os.link(tmp_path / "shadow", tmp_path / "site.conf")
    files.write_file(str(tmp_path / "site.conf"), b"ours", mode=0o644)
    assert (tmp_path / "shadow").read_bytes() == b"root's"
    assert (tmp_path / "shadow").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_place_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_bytes(b"root's")
    (tmp_path / "site.conf").symlink_to("shadow")
    assert files.write_file(str(tmp_path / "site.conf"), b"ours", mode=0o644).kind == "file"
    assert (tmp_path / "shadow").read_bytes() == b"root's"


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777], ids=oct)
def test_the_mode_is_what_was_asked_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert files.write_file(str(tmp_path / "file"), b"x", mode=0o644).mode == 0o644
    finally:
        os.umask(before)
