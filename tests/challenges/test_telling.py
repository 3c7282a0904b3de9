from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.challenges.dns.telling import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = 'it\'s a "pass"/+=\\ wörd\n'
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a path": quote,
    "in a query": lambda one: quote(one, safe=""),
    "in a form": quote_plus,
    "small digits": lambda one: quote(one, safe="").lower(),
    "in Python": repr,
    "as bytes": lambda one: repr(one.encode()),
    "in JSON": json.dumps,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_however_it_is_written(way: str) -> None:
    told = without_secrets(f"failed ({WAYS[way](ODD)}): no", [ODD])
    assert told.replace("b'", "").replace("'", "").replace('"', "") == "failed (***): no"


@given(st.text(min_size=4), st.sampled_from(list(WAYS.values())))
def test_no_secret_is_left(secret: str, way: Callable[[str], str]) -> None:
    assert "***" in without_secrets(f"it says {way(secret)} and no more", [secret])


def test_the_longer_secret_is_cut_out_whole() -> None:
    assert without_secrets("key abcdef, user abc", ["abc", "abcdef", ""]) == "key ***, user ***"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("404 for url: https://a.test/x/y?key=k&b=%20c", "404 for url: https://a.test/x/y"),
        (
            "Max retries exceeded with url: /api?key=k (Caused by X)",
            "Max retries exceeded with url: /api (Caused by X)",
        ),
        ("http://a.test?key=k failed", "http://a.test failed"),
        ("which one? none", "which one? none"),
    ],
)
def test_a_query_is_never_told(words: str, told: str) -> None:
    assert without_secrets(words, []) == told
