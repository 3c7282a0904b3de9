from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.challenges.dns.manual import record_line
from reconciler.challenges.dns.names import (
    account_name,
    challenge_name,
    challenge_value,
    persist_name,
    persist_value,
    persists,
)

ACCOUNT = "https://ca.example/acct/1"
ISSUERS = ("ca.example", "ca2.example")
NOW = 1_800_000_000.0


def test_a_wildcard_and_its_base_share_one_name() -> None:
    assert challenge_name("*.example.com") == challenge_name("example.com") == "_acme-challenge.example.com"
    assert persist_name("*.example.com") == "_validation-persist.example.com"


def test_the_value_of_the_rfc() -> None:
    # base64url of SHA-256, 43 characters, no padding (RFC 8555 section 8.4)
    assert challenge_value("a.b") == "LnM23I66h-9HLfVow1SCq_JXXcPl6sDFxiuP-urCyTQ"


def test_the_label_of_an_account() -> None:
    # the example of draft-ietf-acme-dns-account-label
    name = account_name("example.org", "https://example.com/acme/acct/ExampleAccount")
    assert name == "_ujmmovf2vn55tgye._acme-challenge.example.org"


WANTED = persist_value("*.example.com", "ca.example", ACCOUNT)


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (WANTED, True),
        (f"ca2.example ; policy=WILDCARD;accounturi={ACCOUNT}", True),
        (f"{WANTED}; persistUntil=1900000000", True),
        (f"{WANTED};", True),
        (f"{WANTED}; policy=wildcard", False),
        (f"{WANTED}; accounturi={ACCOUNT}", False),
        (f"{WANTED}; persistUntil=1700000000", False),
        (f"{WANTED}; persistUntil=soon", False),
        (f"{WANTED}; unknown=1", True),
        (f"ca.example; accounturi={ACCOUNT}", False),
        (f"ca.example; accounturi={ACCOUNT}2; policy=wildcard", False),
        (f"evil.example; accounturi={ACCOUNT}; policy=wildcard", False),
        ("", False),
        (";;;=;=", False),
    ],
)
def test_a_standing_record_does_what_is_wanted(found: str, *, fits: bool) -> None:
    assert persists(found, WANTED, ISSUERS, NOW) is fits


def test_a_record_for_wildcards_proves_the_base_too() -> None:
    assert persists(WANTED, persist_value("example.com", "ca.example", ACCOUNT), ISSUERS, NOW)


@given(st.text(max_size=200))
def test_any_text_is_judged(found: str) -> None:
    assert persists(found, WANTED, ISSUERS, NOW) in {True, False}


def test_a_record_as_a_zone_file_has_it() -> None:
    assert record_line("_acme-challenge.example.com", 30, 'a"b\\c') == (
        '_acme-challenge.example.com. 30 IN TXT "a\\"b\\\\c"'
    )
