"""The files door: batches, facts, removal, and the sentence for each thing that can go wrong."""

from __future__ import annotations

import grp
import os
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.files import api as files
from reconciler.errors import Failed, StoreError
from tests.builders import no_descriptors
from tests.mounts import in_memory, mounted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_written_content_mode_and_facts(tmp_path: Path) -> None:
    facts = files.write_file(str(tmp_path / "file"), b"content", mode=0o640)
    on_disk = (tmp_path / "file").stat()
    assert (tmp_path / "file").read_bytes() == b"content"
    assert (facts.size, facts.mode, facts.kind, facts.links) == (7, 0o640, "file", 1)
    assert (facts.inode, facts.mtime_ns, facts.ctime_ns) == (on_disk.st_ino, on_disk.st_mtime_ns, on_disk.st_ctime_ns)
    assert files.stat_file(str(tmp_path / "file")) == facts
    assert files.read_with_stat(str(tmp_path / "file")) == (b"content", facts)


def test_the_signature_tells_every_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen = {
        files.write_file(str(path), b"one", mode=0o600).signature,
        files.write_file(str(path), b"two", mode=0o600).signature,
    }
    path.chmod(0o640)
    facts = files.stat_file(str(path))
    assert facts is not None
    assert len(seen | {facts.signature}) == 3


def test_a_batch_is_seen_only_after_the_switch(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    paths = [tmp_path / "a" / "1", tmp_path / "b" / "2", tmp_path / "a" / "3"]
    staged = [files.stage_file(str(path), path.name.encode(), mode=0o600) for path in paths]
    assert not any(path.exists() for path in paths)
    facts = files.switch(*staged)
    assert [path.read_text() for path in paths] == ["1", "2", "3"]
    assert [one.inode for one in facts] == [path.stat().st_ino for path in paths]
    assert names(tmp_path / "a") == ["1", "3"]


def test_discard_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    staged = files.stage_file(str(tmp_path / "file"), b"x", mode=0o600)
    files.discard(staged)
    files.discard(staged)
    assert names(tmp_path) == []


def test_a_switch_that_fails_says_so_and_leaves_those_before_it_in_place(tmp_path: Path) -> None:
    first, second = (files.stage_file(str(tmp_path / name), b"x", mode=0o600) for name in ("1", "2"))
    (tmp_path / "2").mkdir()
    with pytest.raises(files.FileFailed, match="not a regular file"):
        files.switch(first, second)
    files.discard(first, second)
    assert names(tmp_path) == ["1", "2"]


def test_paths_are_relative_to_a_base(tmp_path: Path) -> None:
    with files.open_directory(str(tmp_path)) as base:
        with files.open_directory("sub/deep", base=base, make=True, mode=0o700):
            files.write_file("sub/deep/file", b"x", mode=0o600, base=base)
        files.write_file("top", b"y", mode=0o600, base=base)
        assert files.read_file("sub/deep/file", base=base) == b"x"
        assert files.list_directory("", base=base) == ("sub", "top")
        assert files.remove_file("sub/deep/file", base=base)
        assert files.remove_directory("sub/deep", base=base)
        for path in ("/etc/passwd", "../x", "sub/../top"):
            with pytest.raises(files.FileFailed):
                files.read_file(path, base=base)
    assert names(tmp_path / "sub") == []


def test_create_file_never_replaces(tmp_path: Path) -> None:
    with files.open_directory(str(tmp_path)) as directory:
        files.create_file(directory, "token", b"one", mode=0o644)
        with pytest.raises(files.FileFailed, match="is there already"):
            files.create_file(directory, "token", b"two", mode=0o644)
        files.sync_directory(directory)
    assert (tmp_path / "token").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["a b", "a\n", "ä", ".", "x/../y", "dir/"])
def test_names_that_no_manifest_may_hold_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(files.FileFailed) as caught:
        files.write_file(f"{tmp_path}/{name}", b"x", mode=0o600)
    assert caught.value.reason == "PathRefused"
    assert names(tmp_path) == []


def test_removal(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    assert not files.remove_file(path)
    facts = files.write_file(path, b"x", mode=0o600)
    (tmp_path / "file").rename(tmp_path / "kept")  # keeps the inode in use, so that no new file gets its number
    files.write_file(path, b"y", mode=0o600)
    with pytest.raises(files.FileFailed, match="is not the file that was put there"):
        files.remove_file(path, expected=facts)
    assert files.remove_file(path, expected=files.stat_file(path))
    (tmp_path / "dangling").symlink_to("nowhere")
    assert files.remove_file(str(tmp_path / "dangling"))
    assert names(tmp_path) == ["kept"]


def test_only_an_empty_directory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dir" / "inner").mkdir(parents=True)
    with pytest.raises(files.FileFailed, match="not empty"):
        files.remove_directory(str(tmp_path / "dir"))
    assert files.remove_directory(str(tmp_path / "dir" / "inner"))
    assert not files.remove_directory(str(tmp_path / "dir" / "inner"))


def test_listing_is_bounded(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    assert files.list_directory(str(tmp_path), most=5) == ("0", "1", "2", "3", "4")
    for work in (files.list_directory, files.stat_directory):
        with pytest.raises(files.FileFailed, match="holds more than 4 names"):
            work(str(tmp_path), most=4)


def test_the_facts_of_a_directory_are_those_of_each_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    found = files.stat_directory(str(tmp_path))
    assert found == {name: files.stat_file(str(tmp_path / name)) for name in ("file", "dir", "link")}
    assert found["link"].kind == "link"


def test_what_is_missing(tmp_path: Path) -> None:
    assert files.stat_file(str(tmp_path / "file")) is None
    assert files.stat_file(str(tmp_path / "no" / "file")) is None
    with pytest.raises(files.FileFailed, match=r"no such directory: .*/no; it is not created by us") as caught:
        files.write_file(str(tmp_path / "no" / "file"), b"x", mode=0o600)
    assert caught.value.reason == "NoSuchDirectory"
    with pytest.raises(files.FileFailed, match=r"cannot read .*/file: no such file") as caught:
        files.read_file(str(tmp_path / "file"))
    assert caught.value.reason == "NoSuchFile"


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_file_is_neither_replaced_nor_removed(tmp_path: Path, kind: str) -> None:
    (os.mkfifo if kind == "fifo" else os.mkdir)(tmp_path / "thing")
    for attempt in (
        lambda: files.write_file(str(tmp_path / "thing"), b"x", mode=0o600),
        lambda: files.remove_file(str(tmp_path / "thing")),
    ):
        with pytest.raises(files.FileFailed, match="is not a regular file"):
            attempt()
    assert names(tmp_path) == ["thing"]


def test_messages_are_clean_whatever_the_name(tmp_path: Path) -> None:
    with pytest.raises(files.FileFailed) as caught:
        files.read_file(f"{tmp_path}/\x1b[31m\u202e\n")
    assert str(caught.value).isprintable()


def test_the_store_makes_its_own_failure_of_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"), files.told_as(StoreError):
        files.read_file(str(tmp_path / "file"))
    with pytest.raises(Failed):
        files.read_file(str(tmp_path / "file"))


@pytest.mark.parametrize(("options", "size"), [("size=64k", 200_000), ("nr_inodes=2", 1)])
def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path, options: str, size: int) -> None:
    with mounted(tmp_path / "small", *in_memory(f"mode=0755,{options}")) as small:
        files.write_file(str(small / "file"), b"old", mode=0o600) if size > 1 else (small / "file").write_bytes(b"old")
        with pytest.raises(files.FileFailed, match=r"cannot write .*/file: the file system is full; free") as caught:
            files.write_file(str(small / "file"), b"x" * size, mode=0o600)
        assert caught.value.reason == "DiskFull"
        assert (small / "file").read_bytes() == b"old"
        assert names(small) == ["file"]


def test_a_read_only_file_system(tmp_path: Path) -> None:
    with mounted(tmp_path / "fixed", *in_memory("mode=0755,ro")) as fixed:
        with pytest.raises(files.FileFailed, match=r"is read-only; .*ReadWritePaths=") as caught:
            files.write_file(str(fixed / "file"), b"x", mode=0o600)
        assert caught.value.reason == "ReadOnlyFilesystem"
        with pytest.raises(files.FileFailed, match=r"cannot create directory .*/dir: .*read-only"):
            files.open_directory(str(fixed / "dir"), make=True).__enter__()


def test_owner_and_group_are_set(tmp_path: Path) -> None:
    facts = files.write_file(str(tmp_path / "file"), b"x", mode=0o640, uid=0, gid=60001)
    assert (facts.uid, facts.gid, facts.mode) == (0, 60001, 0o640)


@pytest.mark.parametrize(
    "work",
    [
        files.read_file,
        files.stat_file,
        files.list_directory,
        files.stat_directory,
        lambda path: files.read_file(path, follow=True),
        lambda path: files.write_file(path, b"", mode=0o600),
        lambda path: files.open_directory(path).__enter__(),
    ],
)
def test_no_descriptor_left_is_a_failure_of_its_type(tmp_path: Path, work: Callable[[str], object]) -> None:
    with no_descriptors(), pytest.raises(files.FileFailed, match="too many open files; raise LimitNOFILE") as told:
        work(str(tmp_path / "file"))
    assert told.value.reason == "DiskError"


def test_names_of_owners_become_numbers() -> None:
    assert files.numbers_of(None, None) == (None, None)
    assert files.numbers_of("nobody", None) == (65534, grp.getgrnam("nogroup").gr_gid)
    assert files.numbers_of("nobody", "root") == (65534, 0)
    assert files.numbers_of(None, "root") == (None, 0)


@pytest.mark.parametrize(("owner", "group", "words"), [("no-such", "root", "user no-such"), (None, "a\0b", "group a")])
def test_a_name_that_the_machine_does_not_know_is_refused(owner: str | None, group: str, words: str) -> None:
    with pytest.raises(files.FileFailed, match=f"there is no {words}.* on this machine; create it first") as told:
        files.numbers_of(owner, group)
    assert told.value.reason == "PathRefused"
