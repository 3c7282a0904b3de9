from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import NewerStore, StoreError
from reconciler.model.observed import Memory, NoRevision, Revision, Undo
from reconciler.store import reading
from reconciler.store.files import open_store
from reconciler.store.trouble import database_failure
from tests.builders import SteadyClock
from tests.store.material import bundle, meta
from tests.store.tree import check_modes, names

ROOT = Path(__file__).resolve().parents[2]
CLOCK = SteadyClock()


def opened(path: Path) -> None:
    open_store(str(path), CLOCK, "0.1.0", write=True).close()


def listing(root: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_mode) for path in root.rglob("*"))


def test_it_is_made_on_first_use_and_then_only_checked(root: Path) -> None:
    old = os.umask(0)
    try:
        opened(root)
    finally:
        os.umask(old)
    check_modes(str(root))
    assert (root / "VERSION").read_text() == "1\n"
    before = [row for row in listing(root) if not row[0].endswith("/tmp")]
    opened(root)
    assert [row for row in listing(root) if not row[0].endswith("/tmp")] == before


def test_another_process_may_make_it_at_the_same_moment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = reading.read, iter(range(10))

    def read(path: str, limit: int) -> bytes | None:
        found = real(path, limit)
        if path.endswith("/VERSION") and next(calls) == 0:
            opened(root)  # right after we saw that there is none
        return found

    monkeypatch.setattr(reading, "read", read)
    opened(root)
    check_modes(str(root))


def test_a_checkouts_folder_may_become_one(root: Path) -> None:
    root.mkdir()
    (root / "README.md").write_text("about")
    (root / "VERSION").write_text("1\n")
    opened(root)
    assert (root / "live").is_dir()


@pytest.mark.parametrize("text", ["2", "99\n", "1000000000000"])
def test_a_newer_one_is_refused(root: Path, text: str) -> None:
    opened(root)
    (root / "VERSION").write_text(text)
    before = listing(root)
    for write in (True, False):
        with pytest.raises(NewerStore, match=f"format {text.strip()}, and this version of certwright knows 1"):
            open_store(str(root), CLOCK, "0.1.0", write=write)
    assert listing(root) == before


@pytest.mark.parametrize("text", ["", "0", "one", "-1", "1.0", "\x1b[2J"])
def test_a_version_that_is_no_number_is_refused(root: Path, text: str) -> None:
    opened(root)
    (root / "VERSION").write_text(text)
    with pytest.raises(StoreError, match="not a number; put 1 into it") as caught:
        opened(root)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("write", [True, False])
def test_a_directory_with_other_things_is_refused(root: Path, *, write: bool) -> None:
    root.mkdir()
    (root / "holiday.jpg").write_text("x")
    told = r"is no state directory \(holiday.jpg is there, VERSION is not\); name another by --state$"
    with pytest.raises(StoreError, match=told):
        open_store(str(root), CLOCK, "0.1.0", write=write)
    assert names(root) == ["holiday.jpg"]


@pytest.mark.parametrize("write", [True, False])
def test_one_that_lost_its_version_is_refused_with_the_way_back(root: Path, *, write: bool) -> None:
    opened(root)
    (root / "VERSION").unlink()
    with pytest.raises(StoreError, match="put VERSION back, with 1 in it, if this is one that lost it; else name"):
        open_store(str(root), CLOCK, "0.1.0", write=write)
    (root / "VERSION").write_text("1")
    opened(root)


def test_what_is_no_directory_or_has_no_parent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is not a directory; name another"):
        opened(tmp_path / "file")
    with pytest.raises(StoreError, match=r"the directory above .* is not there; create it"):
        opened(tmp_path / "no" / "state")


def test_the_rights_of_others_are_taken_away(root: Path) -> None:
    with open_store(str(root), CLOCK, "0.1.0", write=True) as store, store.claim("site/a", "test", 0) as lease:
        name = store.put_revision(lease, "a", bundle(), meta())
        store.activate(lease, "a", name, None)
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    opened(root)
    for path in [root, *root.rglob("*")]:
        assert path.is_symlink() or not path.stat().st_mode & 0o077, path


def test_a_key_with_loose_rights_loses_them_when_it_is_read(root: Path) -> None:
    with open_store(str(root), CLOCK, "0.1.0", write=True) as store, store.claim("site/a", "test", 0) as lease:
        store.activate(lease, "a", store.put_revision(lease, "a", bundle(), meta()), None)
        key = root / "live/a/privkey.pem"
        key.chmod(0o640)
        with open_store(str(root), CLOCK, "0.1.0", write=False) as reader:
            assert isinstance(reader.live(["a"])["a"], Revision)
        assert key.stat().st_mode & 0o777 == 0o640
        store.live(["a"])
        assert key.stat().st_mode & 0o777 == 0o600


def test_a_reader_of_nothing_finds_nothing_and_makes_nothing(root: Path) -> None:
    with open_store(str(root), CLOCK, "0.1.0", write=False) as store:
        assert store.sites() == frozenset()
        assert store.live(["a"]) == {"a": NoRevision()}
        assert store.memory(["a"]) == {"a": Memory()}
        assert store.undo() == ()
        assert store.events() == ()
        assert store.changes(0) == (frozenset(), 0)
        assert store.source() is None
        assert store.cache().rows("x") == {}
        assert store.holder("run") is None
        thing = Undo("f00", "a", "token", "", "t")
        for write in (
            lambda: store.remember("a", lambda _: Memory(renew_requested="x")),
            lambda: store.claim("site/a", "test", 0).__enter__(),
            lambda: store.put_undo(thing),
            lambda: store.undone(thing),
            lambda: store.put_token("t", "x"),
            lambda: store.drop_token("t"),
            lambda: store.event("a", "Issued", "x", CLOCK.now()),
            lambda: store.follow("tree"),
            lambda: store.tidy(CLOCK.now()),
        ):
            with pytest.raises(StoreError, match="opened for reading only"):
                write()
    assert not root.exists()


def test_a_reader_writes_nothing(root: Path) -> None:
    with open_store(str(root), CLOCK, "0.1.0", write=True) as store, store.claim("site/a", "test", 0) as lease:
        store.activate(lease, "a", store.put_revision(lease, "a", bundle(), meta()), None)
        store.event("a", "Issued", "x", CLOCK.now())
        cache = store.cache()
        cache.put("x", {"k": ("s", "p")})
        cache.close()
    before = listing(root)
    with open_store(str(root), CLOCK, "0.1.0", write=False) as store:
        assert isinstance(store.live(["a"])["a"], Revision)
        assert len(store.events()) == 1
        assert store.changes(0)[0] == {"a"}
        assert store.cache().rows("x") == {"k": ("s", "p")}
        store.cache().put("x", {"k": ("t", "q")})
        assert store.sites() == {"a"}
    assert listing(root) == before


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_kept(root: Path) -> None:
    opened(root)
    dead = root / "tmp" / "1-dead"
    (dead / "deep").mkdir(parents=True)
    (dead / "deep" / "file").write_text("x")
    (dead / "link").symlink_to("/etc")
    with open_store(str(root), CLOCK, "0.1.0", write=True) as one:
        assert len(names(root / "tmp")) == 1
        with open_store(str(root), CLOCK, "0.1.0", write=True) as other:
            assert len(names(root / "tmp")) == 2
            one.put_token("t", "x")
            other.put_token("u", "x")
    assert names(root / "tmp") == []
    assert Path("/etc/passwd").exists()


def test_anothers_directory_is_refused_by_name_and_remedy(root: Path) -> None:
    opened(root)
    os.chown(root, 60001, 60001)
    told = f"{root} belongs to uid 60001, and we are uid 0.*; run certwright as uid 60001"
    with pytest.raises(StoreError, match=told):
        opened(root)


FAULTS = """
import os, sys
from reconciler.errors import StoreError
from reconciler.model.observed import Memory, NoRevision
from reconciler.store import reading
from reconciler.store.files import open_store
from tests.builders import SteadyClock
from tests.store.material import bundle, meta, order
root, how = sys.argv[1:]
def show(call):
    try:
        call()
    except StoreError as error:
        print(error)
def use(store):
    with store.claim("site/a", "test", 0) as lease:
        show(lambda: store.put_order(lease, "a", order()))
        show(lambda: store.remember("a", lambda memory: Memory(renew_requested="x")))
        show(lambda: store.put_revision(lease, "a", bundle(), meta()))
if how == "full":
    with open_store(root, SteadyClock(), "0.1.0", write=True) as store:
        with store.claim("site/a", "test", 0):
            pass
        filler = os.open(root + "/filler", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError:
            pass
        use(store)
        assert store.orders(["a"]) == {} and store.memory(["a"]) == {"a": Memory()} and store.revisions("a") == ()
        store.cache().put("x", {"k": ("s", "p" * 100000)})
        os.close(filler)
        os.unlink(root + "/filler")
        use(store)
        assert store.orders(["a"]) == {"a": order()} and len(store.revisions("a")) == 1
        own, = os.listdir(root + "/tmp")
        assert os.listdir(root + "/tmp/" + own) == []
elif how == "little":
    from reconciler.store import database
    from reconciler.store.trouble import told_database
    for pages in range(17):
        path, filler = f"{root}/{pages}.sqlite", root + "/filler"
        with open(filler, "wb") as file:
            space = os.statvfs(root)
            file.write(b"x" * (space.f_bfree - pages) * space.f_frsize)
        def write():
            with told_database(path):
                connection = database.writer(path, ())
                try:
                    connection.execute("CREATE TABLE large (content)")
                    connection.execute("INSERT INTO large VALUES (?)", ("x" * 65536,))
                finally:
                    connection.close()
        show(write)
        for name in os.listdir(root):
            os.unlink(f"{root}/{name}")
else:
    show(lambda: open_store(root, SteadyClock(), "0.1.0", write=True))
    with open_store(root, SteadyClock(), "0.1.0", write=False) as store:
        assert store.live(["a"]) == {"a": NoRevision()}
        assert store.events() == () and store.changes(0) == (frozenset(), 0)
"""


def faulty(mount: str, root: Path, how: str) -> str:
    """Run the program above where a mount of its own makes the trouble."""
    command = f'{mount} && exec "{sys.executable}" -c "$PROGRAM" "{root}" {how}'
    run = ["unshare", "--map-root-user", "--mount", "sh", "-c", command]
    env = {**os.environ, "PROGRAM": FAULTS, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, env=env, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_full_disk_is_told_and_nothing_is_half_written(root: Path) -> None:
    root.mkdir()
    told = faulty(f'mount -t tmpfs -o size=4m,mode=0700 none "{root}"', root, "full").splitlines()
    assert len(told) == 3
    for sentence in told:
        assert "cannot " in sentence
        assert "the file system is full; free some space" in sentence


def test_a_database_that_finds_no_room_is_told_so_whichever_of_its_files_it_was_for(root: Path) -> None:
    root.mkdir()
    told = faulty(f'mount -t tmpfs -o size=1m,mode=0700 none "{root}"', root, "little").splitlines()
    assert len(told) == 17
    assert [sentence for sentence in told if "the file system is full; free some space" not in sentence] == []


def test_a_disk_that_failed_is_blamed_where_there_is_room(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert "the disk failed; look at the kernel's log" in str(database_failure(str(tmp_path / "x"), error))


def test_a_read_only_one_is_told_and_can_be_read(root: Path) -> None:
    opened(root)
    told = faulty(f'mount --bind "{root}" "{root}" && mount -o remount,bind,ro "{root}"', root, "read-only")
    assert told.count("\n") == 1
    assert f"{root}/tmp" in told
    assert "it is read-only; mount it writable, or name the directory in ReadWritePaths=" in told
