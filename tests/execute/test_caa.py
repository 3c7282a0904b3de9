"""CAA by the letter of RFC 8659 section 4 and RFC 8657, on records in presentation format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.execute.probes.caa import Issuing, forbidden, identities_of, read

OURS = Issuing(("ca.example", "other-name.example"), "https://ca.example/acct/1", ("http-01",))
ALLOWED = [
    (),
    ('0 issue "ca.example"',),
    ('0 issue "CA.example."',),
    ('0 issue " ca.example ; "',),
    ('0 issue "else.example"', '0 issue "other-name.example"'),
    ('0 iodef "mailto:me@example.com"',),
    ('0 unknown "x"',),
    ('128 issue "ca.example"',),
    ('0 issue "ca.example; accounturi=https://ca.example/acct/1; validationmethods=dns-01,http-01"',),
    ('0 issuewild ";"', '0 issue "ca.example"'),
]
FORBIDDEN = [
    (('0 issue ";"',), "none"),
    (('0 issue "else.example"',), "allowed are else.example, not ca.example"),
    (('128 tbs "x"', '0 issue "ca.example"'), "critical property tbs"),
    (("rubbish",), "critical"),
    (('0 issue "ca.example; accounturi=https://ca.example/acct/2"',), "only the account https://ca.example/acct/2"),
    (('0 issue "ca.example; validationmethods=dns-01"',), "only proof by dns-01"),
    (('0 issue "ca.example; validationmethods="',), "no way of proof at all is allowed"),
    (('0 issue "ca.example; what is this"',), "none"),
]


@pytest.mark.parametrize("records", ALLOWED)
def test_allowed(records: tuple[str, ...]) -> None:
    policy = read("example.com", records) if records else None
    assert forbidden(policy, wildcard=False, by=OURS) is None


@pytest.mark.parametrize(("records", "words"), FORBIDDEN)
def test_forbidden(records: tuple[str, ...], words: str) -> None:
    assert words in (forbidden(read("example.com", records), wildcard=False, by=OURS) or "")


def test_issuewild_is_for_wildcards_alone_and_wins_there() -> None:
    both = read("example.com", ['0 issue "ca.example"', '0 issuewild "else.example"'])
    assert forbidden(both, wildcard=False, by=OURS) is None
    assert "else.example" in (forbidden(both, wildcard=True, by=OURS) or "")
    assert forbidden(read("example.com", ['0 issue "ca.example"']), wildcard=True, by=OURS) is None


def test_a_ca_whose_names_are_not_known_is_judged_only_where_none_at_all_may() -> None:
    unknown = Issuing((), None, ("http-01",))
    assert forbidden(read("example.com", ['0 issue "else.example"']), wildcard=False, by=unknown) is None
    assert forbidden(read("example.com", ['0 issue ";"']), wildcard=False, by=unknown) is not None
    assert identities_of("https://acme-v02.api.letsencrypt.org/directory") == ("letsencrypt.org",)
    assert identities_of("https://ca.internal/dir") == ()


@given(st.lists(st.text(max_size=60), max_size=5))
def test_whatever_stands_there_is_judged_and_never_breaks(records: list[str]) -> None:
    policy = read("example.com", records)
    for wildcard in (True, False):
        words = forbidden(policy, wildcard=wildcard, by=OURS)
        assert words is None or isinstance(words, str)
