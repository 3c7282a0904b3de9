"""What a command makes of a file is there as a whole or not at all, and no copy stays."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from reconciler.execute.batches.hands.local import LocalHands

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    """A list, and what was made of it before; a copy that a killed process left."""
    (tmp_path / "list").write_text("new\n")
    (tmp_path / "list").chmod(0o600)
    (tmp_path / "list.db").write_text("old")
    for left in (".certwright-list", ".certwright-list.db", ".certwright-list.x"):
        (tmp_path / left).write_text("left")
    return tmp_path / "list"


def build(source: Path, script: str) -> tuple[int, str]:
    """`$file` is the path that the command is given."""
    argv = ["/bin/sh", "-c", f'file="${{0#hash:}}"; {script}', f"hash:{source}"]
    return LocalHands().build(argv, str(source), "skipping this")


def standing(source: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in source.parent.iterdir()}


def test_what_was_made_takes_its_place(source: Path) -> None:
    made = source.with_name("list.db")
    before = made.stat().st_ino
    code, told = build(source, 'cp -p "$file" "$file.db"; echo made "$0"')
    assert (code, told) == (0, f"made hash:{source.parent}/.certwright-list")
    assert standing(source) == {"list": "new\n", "list.db": "new\n"}
    assert made.stat().st_ino != before
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("script", "code"), [('printf half > "$file.db"; exit 1', 1), ('printf half > "$file.db"; kill -9 $$', -9)]
)
def test_half_of_it_is_thrown_away(source: Path, script: str, code: int) -> None:
    assert build(source, script)[0] == code
    assert standing(source) == {"list": "new\n", "list.db": "old"}


def test_what_was_made_with_something_left_out_is_thrown_away(source: Path) -> None:
    code, told = build(source, 'echo poorer > "$file.db"; echo "list, line 2: skipping this entry" >&2')
    assert (code, told) == (0, "list, line 2: skipping this entry")
    assert standing(source) == {"list": "new\n", "list.db": "old"}


def test_nothing_made_is_a_failure(source: Path) -> None:
    assert build(source, "true") == (-1, f"/bin/sh made nothing of {source}\n")
    assert standing(source) == {"list": "new\n", "list.db": "old"}


def test_what_must_not_be_replaced_is_told(source: Path) -> None:
    source.with_name("list.db").unlink()
    source.with_name("list.db").mkdir()
    code, told = build(source, 'echo > "$file.db"')
    assert code == -1
    assert f"{source}.db is not a regular file" in told
    assert sorted(path.name for path in source.parent.iterdir()) == ["list", "list.db"]
