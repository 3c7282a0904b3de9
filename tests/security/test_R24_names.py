"""R24: what one part of a path, a path and a mode may be."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors.files import api as files

ALPHABET = string.ascii_letters + string.digits + "_.@+-"


def passes(name: str) -> bool:
    try:
        return files.check_part(name) == name
    except files.FileFailed as error:
        return not (error.reason == "PathRefused" and str(error).isprintable())


@given(st.text(ALPHABET, min_size=1, max_size=255).filter(lambda name: name not in {".", ".."}))
def test_every_name_of_the_alphabet_passes(name: str) -> None:
    assert passes(name)


@given(st.one_of(st.text(), st.from_regex(r"\A[A-Za-z0-9_.@+-]*[^A-Za-z0-9_.@+-][A-Za-z0-9_.@+-]*\Z")))
def test_no_other_name_passes(name: str) -> None:
    legal = 1 <= len(name) <= 255 and set(name) <= set(ALPHABET) and name not in {".", ".."}
    assert passes(name) is legal


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a\n", "a/b", "a\0", "ä", "a b", "a" * 256, "\u0661", "a\u202eb", "$(id)", "a;b"]
)
def test_the_known_tricks_fail(name: str) -> None:
    assert not passes(name)


@given(st.lists(st.text(max_size=6), max_size=6).map("/".join))
def test_a_path_passes_only_if_each_part_does(path: str) -> None:
    try:
        parts = files.check_path(path)
    except files.FileFailed:
        return
    assert path.startswith("/")
    assert "/" + "/".join(parts) in {path, path.removesuffix("/") or "/"}
    assert all(re.fullmatch(r"[A-Za-z0-9_.@+-]+", part) and part not in {".", ".."} for part in parts)


@pytest.mark.parametrize("mode", [0o1644, 0o4755, 0o2755, -1, 0o10000])
def test_modes_beyond_permission_bits_are_refused(mode: int) -> None:
    with pytest.raises(files.FileFailed, match="not within 0777"):
        files.check_mode(mode)


@given(st.integers(0, 0o777))
def test_permission_bits_pass(mode: int) -> None:
    assert files.check_mode(mode) == mode
