from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed, StoreError
from reconciler.execute.batches.switching.content import Content, read
from reconciler.execute.batches.switching.former import Known, put_back
from reconciler.execute.batches.switching.swap import Swap, Switch, SwitchStuck
from reconciler.model import fragments
from reconciler.model.names import Part

if TYPE_CHECKING:
    from pathlib import Path


def content(text: str, mode: int = 0o644) -> Content:
    return Content(text.encode(), mode, os.geteuid(), os.getegid())


def swap(site: str, path: Path, after: str | None, mode: int = 0o644) -> Swap:
    return Swap(site, str(path), Part.CONFIG, read(str(path)), None if after is None else content(after, mode))


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """A directory with three files."""
    for name in "abc":
        (tmp_path / name).write_text(f"old {name}")
    return tmp_path


def state(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_forward_and_back_as_a_whole_and_by_site(here: Path) -> None:
    before = state(here)
    switch = Switch((swap("a", here / "a", "new", 0o600), swap("b", here / "b", None), swap("n", here / "n", "new")))
    switch.forward()
    assert state(here) == {"a": "new", "c": "old c", "n": "new"}
    assert stat.S_IMODE((here / "a").stat().st_mode) == 0o600
    switch.back({"b"})
    assert state(here) == {"a": "new", "b": "old b", "c": "old c", "n": "new"}
    switch.back()
    assert state(here) == before
    assert stat.S_IMODE((here / "a").stat().st_mode) == 0o644
    switch.forward({"n"})
    assert state(here) == before | {"n": "new"}


def test_one_path_that_cannot_be_written_leaves_all_as_it_was(here: Path) -> None:
    before = state(here)
    swaps = (swap("a", here / "a", "new"), Swap("x", str(here / "no" / "x"), Part.KEY, None, content("k")))
    with pytest.raises(Failed):
        Switch(swaps).forward()
    assert state(here) == before


def test_staged_files_that_cannot_be_removed_leave_all_as_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(here)
    unlink = os.unlink

    def failing(path: str, *, dir_fd: int | None = None) -> None:
        if path.startswith(".certwright-"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", failing)
    (here / "d").mkdir()
    directory = Swap("d", str(here / "d"), Part.KEY, content("x"), None)
    switch = Switch((swap("a", here / "a", "new"), swap("b", here / "b", None), directory))
    with pytest.raises(Failed):
        switch.forward()
    (here / "d").rmdir()
    left = {name: text for name, text in state(here).items() if not name.startswith(".")}
    assert left == before


def test_a_former_file_with_set_id_bits_comes_back_without_them(here: Path) -> None:
    (here / "a").chmod(0o2640)
    switch = Switch((swap("a", here / "a", "new", 0o640),))
    record = switch.record()
    inode = (here / "a").stat().st_ino
    switch.back()
    assert (here / "a").stat().st_ino == inode, "it was never replaced"
    for back in (switch.back, lambda: put_back(record, {(str(here / "a"), None): {content("old a").digest}})):
        switch.forward()
        assert not back()
        assert ((here / "a").read_text(), stat.S_IMODE((here / "a").stat().st_mode)) == ("old a", 0o640)


def test_what_cannot_be_put_back_from_a_record_says_why(here: Path) -> None:
    switch = Switch((swap("a", here / "a", None),))
    record = switch.record()
    switch.forward()
    here.rename(here.with_name("away"))
    [failure] = put_back(record, {(str(here / "a"), None): {content("old a").digest}})
    assert failure.reason == "NoSuchDirectory"
    assert "create it first" in str(failure)


def test_what_is_put_back_already_is_not_written_again(here: Path) -> None:
    switch = Switch((swap("a", here / "a", "new"),))
    inode = (here / "a").stat().st_ino
    switch.back()
    assert (here / "a").stat().st_ino == inode


def test_file_that_cannot_be_put_back_is_told_after_all_others_were(here: Path) -> None:
    switch = Switch((swap("a", here / "a", "new"), swap("b", here / "b", "new")))
    switch.forward()
    (here / "a").unlink()
    (here / "a").mkdir()
    with pytest.raises(SwitchStuck, match="could not be put back"):
        switch.back()
    assert (here / "b").read_text() == "old b"


def test_record_puts_back_what_was_switched_and_nothing_else(here: Path) -> None:
    before = state(here)
    switch = Switch((swap("a", here / "a", "new"), swap("b", here / "b", None), swap("n", here / "n", "new")))
    record = switch.record()
    known: dict[Known, set[str]] = {(str(here / name), None): {content(f"old {name}").digest} for name in "ab"}
    switch.forward()
    assert put_back(record, known) == []
    assert state(here) == before
    assert put_back(record, known) == [], "twice is as good as once"
    # somebody edited one meanwhile: theirs stays
    switch.forward()
    (here / "a").write_text("edited")
    put_back(record, known)
    assert state(here) == before | {"a": "edited"}


def test_record_puts_back_what_a_batch_made_and_then_took_out(here: Path) -> None:
    before = state(here)
    made, out = swap("a", here / "a", "new"), swap("a", here / "a", None)
    record = Switch((made, out)).record()
    known: dict[Known, set[str]] = {(str(here / "a"), None): {content("old a").digest}}
    for last in (made, out):
        Switch((last,)).forward()
        assert put_back(record, known) == []
        assert state(here) == before


def test_record_does_not_touch_what_the_inventory_knows(here: Path) -> None:
    switch = Switch((swap("a", here / "a", "new"), swap("b", here / "b", None)))
    switch.forward()
    known: dict[Known, set[str]] = {(str(here / "a"), None): {content("new").digest}}
    put_back(switch.record(), known)
    assert state(here) == {"a": "new", "c": "old c"}


def test_record_of_a_shared_file_puts_back_only_the_blocks_that_the_inventory_does_not_know(here: Path) -> None:
    """`a` is renewed, `b` leaves and `n` comes; an inventory was written of some of them when the process died."""
    listed = here / "list"

    def shows(**texts: str) -> str:
        return fragments.joined({site: fragments.block(site, text) for site, text in texts.items()})

    def block(site: str, text: str | None) -> Content | None:
        return None if text is None else content(fragments.block(site, text))

    def move(site: str, before: str | None, after: str | None) -> Swap:
        return Swap(site, str(listed), Part.CONFIG, block(site, before), block(site, after), fragment=True)

    former = shows(a="old\n", b="old\n", s="stays\n")
    new = shows(a="new\n", n="new\n", s="stays\n")

    def known_as(text: str, *sites: str) -> dict[Known, set[str]]:
        return {(str(listed), site): {content(fragments.block(site, text)).digest} for site in sites}

    stale, fresh = known_as("old\n", "a", "b"), known_as("new\n", "a", "n")
    gone = {key: value for key, value in stale.items() if key[1] != "b"}
    cases = {
        former: stale,
        shows(a="new\n", b="old\n", s="stays\n"): stale | {(str(listed), "a"): fresh[str(listed), "a"]},
        shows(a="old\n", s="stays\n"): gone,
        shows(a="old\n", b="old\n", n="new\n", s="stays\n"): stale | {(str(listed), "n"): fresh[str(listed), "n"]},
        new: fresh,
    }
    for wanted, known in cases.items():
        listed.write_text(former)
        switch = Switch((move("a", "old\n", "new\n"), move("b", "old\n", None), move("n", None, "new\n")))
        record = switch.record()
        switch.forward()
        assert listed.read_text() == new
        assert put_back(record, known) == []
        assert listed.read_text() == wanted
        assert put_back(record, known) == [], "twice is as good as once"
        assert listed.read_text() == wanted


def test_record_sweeps_staged_files(here: Path) -> None:
    record = Switch((swap("a", here / "a", "new"),)).record()
    (here / ".certwright-0123456789abcdef").write_text("half")
    put_back(record, {})
    assert sorted(state(here)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"v": 1}',
        b'{"files": [7]}',
        b'{"files": [{"path": 1, "before": null, "digest": null}]}',
        b'{"files": [{"path": "/x", "before": {}, "digest": null}]}',
        b'{"files": [{"path": "/x", "before": {"data": "?", "mode": 1, "uid": 0, "gid": 0}, "digest": null}]}',
    ],
)
def test_damaged_record_is_told_and_nothing_is_put_back(damaged: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        put_back(damaged, {})


def test_damaged_row_keeps_the_others_from_being_put_back(here: Path) -> None:
    switch = Switch((swap("a", here / "a", "new"), swap("b", here / "b", "new")))
    record = json.loads(switch.record())
    del record["files"][1]["before"]
    switch.forward()
    with pytest.raises(StoreError, match="damaged"):
        put_back(json.dumps(record).encode(), {})
    assert state(here) == {"a": "new", "b": "new", "c": "old c"}


def test_installed_describes_what_stands_there(here: Path) -> None:
    switch = Switch((swap("a", here / "a", "new", 0o600), swap("b", here / "b", None)))
    switch.forward()
    [file] = switch.installed({"a"})["a"]
    assert (file.path, file.mode, file.digest) == (str(here / "a"), 0o600, content("new").digest)
    assert file.signature
    assert switch.installed({"b"}) == {"b": ()}
