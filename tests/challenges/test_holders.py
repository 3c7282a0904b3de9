from __future__ import annotations

import pytest

from reconciler.challenges.holders import holder, named

ANY4 = "0.0.0.0"  # noqa: S104  nobody listens


@pytest.mark.parametrize("address", [None, "127.0.0.1", "::", "2001:db8::1", "fe80::1%eth0"])
def test_the_name_of_a_lock_tells_which_listener_it_is(address: str | None) -> None:
    one = holder(address, 80, "http-01")
    assert named(one.lock) == one


@pytest.mark.parametrize("name", ["80", "80.holder", "x.any.http-01.holder", "80.any.http-01", ".holder", ""])
def test_no_other_file_is_one(name: str) -> None:
    assert named(name) is None


@pytest.mark.parametrize(
    ("wide", "narrow", "both"),
    [
        (None, "127.0.0.1", False),
        (None, "::1", False),
        (None, ANY4, False),
        (None, "::", False),
        (None, None, True),
        (ANY4, "127.0.0.1", False),
        ("::", "::1", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_who_listens_more_widely_covers_the_other(wide: str | None, narrow: str | None, both: bool) -> None:  # noqa: FBT001
    first, second = holder(wide, 80, "http-01"), holder(narrow, 80, "tls-alpn-01")
    assert (first.covers(second), second.covers(first)) == (True, both)
    assert not holder(wide, 81, "http-01").covers(second)


@pytest.mark.parametrize(
    ("first", "second"), [("127.0.0.1", "127.0.0.2"), (ANY4, "::1"), ("::", "127.0.0.1"), (ANY4, "::")]
)
def test_others_are_in_nobodys_way(first: str, second: str) -> None:
    one, other = holder(first, 80, "http-01"), holder(second, 80, "http-01")
    assert not one.covers(other)
    assert not other.covers(one)
