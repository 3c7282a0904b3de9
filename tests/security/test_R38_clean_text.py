"""R38: text of a CA, a name server or a peer on a terminal, in a log, on a page."""

from __future__ import annotations

import copy
import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.text import LIMIT, Foreign, Secret, clean

UNSAFE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("a\r\nOK: issued", r"a\x0d\x0aOK: issued"),
        ("nul\0", r"nul\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80", r"\udc80"),
        ("no\u00a0break\u2003wide\u3000", "no break wide "),
        ("größe – 漢字 ☃", "größe – 漢字 ☃"),  # noqa: RUF001  a dash is text
    ],
)
def test_control_codes_become_visible_and_letters_stay(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert Foreign(text).shown() == shown


@given(st.text(max_size=1200), st.integers(1, 600))
def test_nothing_unsafe_and_nothing_long_leaves(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert not [char for char in shown if unicodedata.category(char) in UNSAFE]
    assert clean(shown, limit) == shown


def test_a_huge_text_is_cut_before_it_is_worked_on() -> None:
    assert len(clean("\x1b" * 50_000_000)) <= LIMIT


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_shown_safely(raw: bytes) -> None:
    shown = Foreign(raw).shown()
    assert not [char for char in shown if unicodedata.category(char) in UNSAFE]


def test_foreign_text_leaves_by_no_accident() -> None:
    foreign = Foreign("\x1b[2J<script>")
    with pytest.raises(TypeError, match="shown"):
        str(foreign)
    with pytest.raises(TypeError, match="shown"):
        f"{foreign}"
    with pytest.raises(TypeError, match="shown"):
        "%s" % foreign  # noqa: UP031  each way of formatting
    assert "script" not in repr(foreign)


def test_a_secret_shows_and_pickles_nothing() -> None:
    secret = Secret(b"canary")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>10}", repr([secret]), "%s" % secret]  # noqa: UP031
    assert not [text for text in shown if "canary" in text]
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="pickled"):
            leave(secret)
