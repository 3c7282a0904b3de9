from __future__ import annotations

import re
import subprocess
import sys
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList, encode_idn

from reconciler.doors.hostnames import _suffixes, parse_hostname
from reconciler.model.text import clean

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda text: text[2:4] != "--")
OUTPUT = re.compile(r"(\*\.)?[a-z0-9.-]{1,253}|[0-9a-f:.]+")


@pytest.mark.parametrize(
    ("text", "name", "registered"),
    [
        ("example.com", "example.com", "example.com"),
        ("WWW.Example.COM.", "www.example.com", "example.com"),
        ("a.b.example.co.uk", "a.b.example.co.uk", "example.co.uk"),
        ("*.example.co.uk", "*.example.co.uk", "example.co.uk"),
        ("bücher.example.de", "xn--bcher-kva.example.de", "example.de"),
        ("faß.de", "xn--fa-hia.de", "xn--fa-hia.de"),
        ("*.bücher.de", "*.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("EXAMPLE。com", "example.com", "example.com"),
        ("\uff45xample.com", "example.com", "example.com"),
        # the private part of the suffix list: a tenant's domain is his own, the suffix is its owner's
        ("me.github.io", "me.github.io", "me.github.io"),
        ("github.io", "github.io", "github.io"),
        ("www.ck", "www.ck", "www.ck"),
        ("192.0.43.7", "192.0.43.7", ""),
        ("2A00:1450:4001:0::1", "2a00:1450:4001::1", ""),
    ],
)
def test_a_public_name_is_read(text: str, name: str, registered: str) -> None:
    assert parse_hostname(text, public=True) == (name, registered)
    assert parse_hostname(text, public=False) == (name, registered)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "empty"),
        (".", "empty"),
        ("a..example.com", "two dots"),
        (".example.com", "two dots"),
        ("*", r"\*\.example\.com"),
        ("*.", "empty|wildcard"),
        ("a.*.example.com", "left-most"),
        ("**.example.com", "left-most"),
        ("f*.example.com", "left-most"),
        ("*.*.example.com", "left-most"),
        ("com", "public suffix|single label"),
        ("co.uk", "public suffix"),
        ("*.co.uk", "wildcard over a whole public suffix"),
        ("foo.ck", "public suffix"),
        ("my_shop.example.com", "'_' may not"),
        ("_acme-challenge.example.com", "'_' may not"),
        ("-a.example.com", "hyphen"),
        ("a-.example.com", "hyphen"),
        ("a" * 64 + ".example.com", "63"),
        (".".join(["a" * 60] * 5), "253"),
        ("a" * 5000, "253"),
        ("xn--a.example.com", "U\\+0080"),
        ("☃.example.com", "U\\+2603"),
        ("a\u200d.example.com", "U\\+200D"),
        ("https://example.com/", "URL"),
        ("example.com/path", "slash"),
        ("me@example.com", "after the @"),
        ("example.com:443", "port"),
        ("[2a00::1]", "without brackets"),
        (" example.com", "white space"),
        ("example.com\n", "white space"),
        ("exam ple.com", "' ' may not"),
        ("010.1.1.1", "not one"),
        ("1.2.3", "not one"),
        ("a.0x7f", "not one"),
        ("fe80::1%eth0", "zone"),
        ("::ffff:192.0.2.1", r"write 192\.0\.2\.1"),
    ],
)
def test_what_no_issuer_takes_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    for public in (True, False):
        with pytest.raises(ValueError, match=remedy):
            parse_hostname(text, public=public)


@pytest.mark.parametrize(
    ("text", "registered"),
    [
        ("nas", "nas"),
        ("localhost", "localhost"),
        ("printer.local", "printer.local"),
        ("www.corp.internal", "corp.internal"),
        ("shop.a.test", "a.test"),
        ("router.home.arpa", "router.home.arpa"),
        ("*.test", "test"),
        ("r3---sn.example.com", "example.com"),
        ("127.0.0.1", ""),
        ("fd00::1", ""),
    ],
)
def test_private_names_are_for_private_issuers_only(text: str, registered: str) -> None:
    assert parse_hostname(text, public=False) == (text, registered)
    with pytest.raises(ValueError, match=r"public CA|hyphens"):
        parse_hostname(text, public=True)


def test_plain_names_load_no_idna() -> None:
    code = (
        "import sys; from reconciler.doors.hostnames import parse_hostname;"
        "assert 'publicsuffixlist' not in sys.modules;"
        "parse_hostname('www.example.com', public=True); sys.exit('idna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.lists(LABELS, min_size=1, max_size=4), st.booleans())
def test_plain_names_stay_as_they_are(labels: list[str], wildcard: bool) -> None:  # noqa: FBT001
    name = ("*." if wildcard else "") + ".".join([*labels, "example.com"])
    assert parse_hostname(name.upper() + ".", public=True) == (name, "example.com")


@given(st.text(max_size=300), st.booleans())
def test_any_text_is_a_safe_name_or_a_sentence(text: str, public: bool) -> None:  # noqa: FBT001
    check(text, public=public)


@given(st.text("aZ0-._*:[]\u3002ß\u0130\u00ad\uff0e\u200dж/@ \n;", max_size=40), st.booleans())
def test_any_text_near_a_hostname_is_a_safe_name_or_a_sentence(text: str, public: bool) -> None:  # noqa: FBT001
    check(text, public=public)
    check(text + ".example.com", public=public)


def parsed(text: str, *, public: bool) -> tuple[str, str] | ValueError:
    try:
        return parse_hostname(text, public=public)
    except ValueError as error:
        return error


def check(text: str, *, public: bool) -> None:
    result = parsed(text, public=public)
    if isinstance(result, ValueError):
        assert type(result) is ValueError  # none of its kin: nothing slipped through from a library
        assert clean(str(result)) == str(result)
        return
    name, registered = result
    assert OUTPUT.fullmatch(name)
    assert parse_hostname(name, public=public) == (name, registered)
    assert not registered or name.endswith(registered)


@given(st.integers(1 << 112, (1 << 128) - 1).map(IPv6Address))
def test_addresses_come_in_their_shortest_form(address: IPv6Address) -> None:
    assert parse_hostname(address.exploded.upper(), public=False) == (str(address), "")


@pytest.mark.parametrize("only_icann", [True, False])
def test_the_list_says_of_a_labels_what_the_library_says_of_the_whole_list(*, only_icann: bool) -> None:
    whole = PublicSuffixList(accept_unknown=False, only_icann=only_icann)
    rules = [line.strip() for line in Path(PSLFILE).read_text().splitlines() if line.strip() and line[0] != "/"]
    names = [encode_idn(rule.lstrip("!").replace("*", "any")) for rule in rules]

    for name in [beyond + name for name in names for beyond in ("", "a.", "b.a.")]:
        ours = _suffixes(only_icann=only_icann, encoded="xn--" in name)
        assert ours.publicsuffix(name) == whole.publicsuffix(name)
        assert ours.privatesuffix(name) == whole.privatesuffix(name)
