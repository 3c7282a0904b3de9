"""R21: in the tree of another user certwright acts as that user: his rights, his files, and never his links."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.http01 import WebrootSolver, remove
from reconciler.doors.files import _acting
from reconciler.doors.files import api as files
from reconciler.model.desired import Webroot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALICE, BOB, CAROL = 60001, 60002, 60003
NOBODY = 65534
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PROOF = f"{TOKEN}.{'a' * 43}"
CALLS = (
    "openat,fchown,fchownat,fchmod,write,fsync,rename,renameat,renameat2,chown,setfsuid,setfsgid,setgroups,setresuid"
)


def made(path: Path, uid: int, mode: int = 0o755) -> Path:
    path.mkdir()
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def planted(path: Path, uid: int, content: bytes = b"theirs", mode: int = 0o644) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def refusal(attempt: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(files.FileFailed) as caught:
        attempt()
    return caught.value.reason, str(caught.value)


def rights() -> dict[str, list[str]]:
    """Give the file-system user and group of each thread of ours, as the kernel has them."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        status = (task / "status").read_text()
        found[task.name] = [line.split()[4] for line in status.splitlines() if line.startswith(("Uid:", "Gid:"))]
    return found


@pytest.fixture(name="everybodys")
def _everybodys() -> Iterator[Path]:
    """Give a directory that every user can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return made(tmp_path / "alice", ALICE, 0o700)


def test_a_file_is_born_the_tenants_with_its_mode_and_replaced_and_removed(home: Path) -> None:
    path = home / "key.pem"
    for content in (b"one", b"two"):
        facts = files.write_file(str(path), content, mode=0o600)
        assert (facts.uid, facts.gid, facts.mode, facts.links) == (ALICE, NOBODY, 0o600, 1)
        assert path.read_bytes() == content
    assert files.born_at(str(path)) == (ALICE, NOBODY)
    assert files.read_file(str(path)) == b"two"
    assert files.list_directory(str(home)) == ("key.pem",)
    assert files.remove_file(str(path))
    assert os.listdir(home) == []  # noqa: PTH208


def test_a_directory_is_born_the_tenants_and_one_with_a_group_bit_gives_its_group(home: Path) -> None:
    with files.open_directory(str(home / "a" / "b"), make=True, mode=0o751):
        assert [(home / name).stat().st_uid for name in ("a", "a/b")] == [ALICE, ALICE]
    os.chown(home / "a", ALICE, BOB)
    (home / "a").chmod(0o2750)
    assert files.write_file(str(home / "a" / "file"), b"x", mode=0o640).gid == BOB
    assert files.born_at(str(home / "a" / "file")) == (ALICE, BOB)
    assert files.remove_directory(str(home / "a" / "b"))


def test_the_account_s_own_group_and_no_other_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_acting, "group_of", lambda uid: uid + 7)
    seen: list[tuple[list[int], list[str]]] = []

    def look() -> None:
        task = str(threading.get_native_id())
        seen.append((os.getgroups(), rights()[task]))

    _acting.as_owner(ALICE, look)
    assert seen == [([], [str(ALICE), str(ALICE + 7)])]
    assert files.write_file(str(home / "x"), b"x", mode=0o600).gid == ALICE + 7


def test_only_the_thread_of_its_own_changes_and_it_changes_back() -> None:
    before = os.getgroups()
    seen = _acting.as_owner(ALICE, rights)
    assert sorted(map(tuple, seen.values())).count((str(ALICE), str(NOBODY))) == 1
    assert seen[str(os.getpid())] == ["0", "0"]
    with pytest.raises(ZeroDivisionError):
        _acting.as_owner(ALICE, lambda: 1 // 0)
    assert {tuple(ids) for ids in rights().values()} == {("0", "0")}
    assert _acting._hands(os.getpid()).submit(os.getgroups).result() == before


def test_a_walk_within_a_walk_fails_instead_of_waiting_for_itself(home: Path) -> None:
    with files.open_directory(str(home)) as base:
        with pytest.raises(AssertionError, match="would wait for itself"):
            _acting.as_owner(ALICE, lambda: files.stat_file("x", base=base))
        assert files.stat_file("x", base=base) is None


def test_what_the_tenant_could_not_reach_himself_is_denied_to_us(home: Path) -> None:
    for owner, name in ((BOB, "bobs"), (0, "roots")):
        there = made(home / name, owner, 0o700)
        planted(there / "old", owner)
        for attempt in (
            partial(files.write_file, str(there / "new"), b"x", mode=0o600),
            partial(files.remove_file, str(there / "old")),
            partial(files.read_file, str(there / "old")),
            partial(files.list_directory, str(there)),
            partial(files.remove_directory, str(there / "made")),
        ):
            reason, told = refusal(attempt)
            assert reason == "PermissionDenied"
            assert re.search(rf"{there}\S*: permission denied to uid {ALICE}; the tree is his", told), told
        assert os.listdir(there) == ["old"]  # noqa: PTH208
    planted(home / "secret", BOB, mode=0o600)
    assert refusal(lambda: files.read_file(str(home / "secret")))[0] == "PermissionDenied"


@pytest.mark.parametrize("owner", [0, BOB])
def test_a_file_of_another_owner_is_neither_replaced_nor_removed(home: Path, owner: int) -> None:
    path = planted(home / "site.key", owner)
    for attempt in (lambda: files.write_file(str(path), b"x", mode=0o600), lambda: files.remove_file(str(path))):
        reason, told = refusal(attempt)
        assert (reason, f"belongs to uid {owner} in a tree of uid {ALICE}" in told) == ("PathRefused", True)
    assert path.read_bytes() == b"theirs"
    assert os.listdir(home) == ["site.key"]  # noqa: PTH208


def test_no_link_leads_out_and_none_is_written_through(home: Path, tmp_path: Path) -> None:
    shadow = planted(tmp_path / "shadow", 0, b"root's", 0o600)
    made(tmp_path / "etc", 0)
    for name, to in (("file", shadow), ("directory", tmp_path / "etc"), ("inner", home)):
        (home / name).symlink_to(to)
        os.lchown(home / name, ALICE, ALICE)
    for inner in ("directory", "inner"):
        reason, told = refusal(partial(files.write_file, str(home / inner / "new"), b"x", mode=0o600))
        assert (reason, f"in a tree of uid {ALICE}, where none is followed" in told) == ("PathRefused", True)
    assert refusal(lambda: files.read_file(str(home / "file")))[0] == "PathRefused"
    files.write_file(str(home / "file"), b"his own", mode=0o600)  # his link is replaced; what it named is not touched
    assert shadow.read_bytes() == b"root's"
    os.link(shadow, home / "hard")
    assert refusal(lambda: files.read_file(str(home / "hard")))[0] == "PermissionDenied"
    assert refusal(lambda: files.write_file(str(home / "hard"), b"x", mode=0o600))[0] == "PathRefused"
    assert (shadow.read_bytes(), shadow.stat().st_uid, shadow.stat().st_mode & 0o777) == (b"root's", 0, 0o600)
    assert os.listdir(tmp_path / "etc") == []  # noqa: PTH208


def test_a_link_of_roots_that_leads_through_a_tree_and_out_again_is_refused(home: Path, tmp_path: Path) -> None:
    planted(made(tmp_path / "bob", BOB) / "file", BOB)
    (tmp_path / "link").symlink_to("alice/../bob")
    assert "leads through it and out" in refusal(lambda: files.read_file(str(tmp_path / "link" / "file")))[1]
    (tmp_path / "direct").symlink_to(home)
    assert files.write_file(str(tmp_path / "direct" / "new"), b"x", mode=0o600).uid == ALICE


def test_another_owner_cannot_be_asked_for(home: Path) -> None:
    reason, told = refusal(lambda: files.write_file(str(home / "x"), b"x", mode=0o600, uid=BOB))
    assert (reason, f"so it can only be his, not uid {BOB}'s" in told) == ("PathRefused", True)
    assert files.write_file(str(home / "x"), b"x", mode=0o600, uid=ALICE, gid=BOB).gid == NOBODY


def test_the_order_of_system_calls_has_no_change_of_owner(home: Path, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    program = f"from reconciler.doors.files import api; api.write_file({str(home / 'x')!r}, b'CONTENT', mode=0o640)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(log),
        "-e",
        f"trace={CALLS}",
        os.path.realpath(sys.executable),
        "-c",
        program,
    ]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=False)
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    assert done.returncode == 0, done.stderr
    start = next(index for index, (_, call) in enumerate(lines) if f"setfsuid({ALICE})" in call)
    hands, main = lines[start][0], lines[0][0]
    assert hands != main
    calls = [call for task, call in lines[start:] if task == hands and "(" in call]
    kept = [call.partition("(")[0] for call in calls if "O_CREAT" in call or not call.startswith(("open", "setfs"))]
    kept = [name.removesuffix("at2").removesuffix("at") for name in kept if name != "setgroups"]
    assert kept == ["open", "fchmod", "write", "fsync", "rename", "fsync"]
    text = log.read_text()
    assert not re.search(r"chown|setresuid", text)
    assert text.index("fchmod(") < text.index('"CONTENT"') < text.index("rename")
    changed = {task for task, call in lines if call.startswith(("setfsuid", "setgroups", "setfsgid"))}
    assert changed == {hands}


FAILING = """
import ctypes, sys
from reconciler.doors.files import _acting, api
libc = _acting._libc()
class Broken:
    def __getattr__(self, name): return getattr(libc, name)
    def setfsuid(self, uid): return libc.setfsuid(0xFFFFFFFF if uid == 0 else uid)
_acting._libc = lambda: Broken()
api.write_file(sys.argv[1], b"x", mode=0o600)
print("went on")
"""


def test_rights_that_do_not_come_back_end_the_process(home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", FAILING, str(home / "x")]
    done = subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (70, b"")


def test_rights_that_are_not_given_are_told_and_nothing_is_done(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libc = _acting._libc()

    class Deaf:
        def setfsuid(self, _uid: int) -> int:
            return int(libc.setfsuid(0xFFFFFFFF))

        setfsgid = setfsuid

        def syscall(self, *_arguments: object) -> int:
            return -1

    with monkeypatch.context() as patched:
        patched.setattr(_acting, "_libc", Deaf)
        reason, told = refusal(lambda: files.write_file(str(home / "x"), b"x", mode=0o600))
    assert (reason, "CAP_SETUID" in told) == ("PermissionDenied", True)
    assert os.listdir(home) == []  # noqa: PTH208
    with monkeypatch.context() as patched:
        patched.setattr(platform, "machine", lambda: "pdp11")
        assert "pdp11" in refusal(lambda: files.write_file(str(home / "x"), b"x", mode=0o600))[1]


ORDINARY = """
import os, sys
from reconciler.doors.files import api
os.setgroups([]); os.setgid(60003); os.setuid(60003)
with api.open_directory(sys.argv[1]) as directory:
    for attempt in (
        lambda: api.write_file("new", b"x", mode=0o600, base=directory),
        lambda: api.remove_file("old", base=directory),
        lambda: api.create_file(directory, "new", b"x", mode=0o600),
        lambda: api.born_at(sys.argv[1] + "/new"),
    ):
        try:
            attempt()
        except api.FileFailed as error:
            print(error.reason, error)
"""


EVERYTHING = """
import sys
from reconciler.doors.files import api
home, loaded, wrong = sys.argv[1], set(sys.modules), []
def told(event, arguments):
    if event == "import" and arguments[0].startswith("encodings"):
        wrong.append(arguments[0])
api.write_file(home + "/first", b"x", mode=0o600)
sys.addaudithook(told)
before = set(sys.modules)
for attempt in (
    lambda: api.write_file(home + "/\\u00e4", b"x", mode=0o600),
    lambda: api.write_file(home + "/bobs/x", b"x", mode=0o600),
    lambda: api.write_file(home + "/none/x", b"x", mode=0o600),
    lambda: api.read_file(home + "/link"),
    lambda: api.list_directory(home),
    lambda: api.remove_leftovers(home),
    lambda: api.remove_directory(home + "/bobs"),
    lambda: api.remove_file(home + "/first"),
):
    try:
        attempt()
    except api.FileFailed as error:
        str(error)
print(sorted(set(sys.modules) - before), wrong)
"""


def test_nothing_is_imported_as_the_tenant_who_may_not_read_our_modules(home: Path) -> None:
    made(home / "bobs", BOB, 0o700)
    (home / "link").symlink_to("first")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", EVERYTHING, str(home)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[] []\n", "")


def test_an_ordinary_user_is_told_that_only_root_can(everybodys: Path) -> None:
    home = made(everybodys / "open", ALICE, 0o777)
    planted(home / "old", ALICE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-c", ORDINARY, str(home)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    words = (
        rf"PathRefused {home} lies in a tree of uid {ALICE}, and only root can act as its owner; run certwright as root"
    )
    assert len(re.findall(words, done.stdout)) == 4, done.stdout + done.stderr
    assert os.listdir(home) == ["old"]  # noqa: PTH208


def test_a_webroot_of_a_tenant_gets_files_of_his_and_is_left_as_it_was(home: Path, tmp_path: Path) -> None:
    solver = WebrootSolver(Webroot(str(home)))
    done = solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    file = home / ".well-known" / "acme-challenge" / TOKEN
    assert [path.stat().st_uid for path in (file, file.parent, file.parent.parent)] == [ALICE] * 3
    assert (file.stat().st_mode & 0o777, file.read_text()) == (0o644, PROOF)
    remove(done, solver._made)
    assert os.listdir(home) == []  # noqa: PTH208
    (home / ".well-known").symlink_to(made(tmp_path / "elsewhere", 0, 0o777))
    reason, told = refusal(lambda: solver.prepare("site", "a.test", TOKEN))
    assert (reason, "symbolic link" in told) == ("PathRefused", True)
    (home / ".well-known").unlink()
    made(home / ".well-known", BOB)
    assert refusal(lambda: solver.present(solver.prepare("site", "a.test", TOKEN), PROOF))[0] == "PermissionDenied"
