"""Door to `idna` and the public suffix list: the only place where text becomes a hostname.

Enters: what a person (or a hostile author) wrote. Leaves: an A-label name or an address of `[a-z0-9.:*-]` alone, with
its registered domain. Must not: ask DNS, guess what was meant.
"""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from publicsuffixlist import PublicSuffixList

_NAME_LIMIT: Final = 253
_LABEL_LIMIT: Final = 63
_TEXT_LIMIT: Final = 1000
_SHOWN: Final = 100
_SECTION: Final = "// ==="
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9.*-]+", re.ASCII)
# full stops other than U+002E that IDNA takes for one (RFC 3490 section 3.1)
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")
# Special-use domain names (IANA registry; RFC 6761, 6762, 7686, 8375, 9476) and ICANN's reserved `internal`:
# no public CA signs for them. `onion` is among them since its names have no DNS to prove control by.
_SPECIAL: Final = frozenset({"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"})
# what people paste instead of a hostname, and what to write
_PASTED: Final = (
    (re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://"), "it is a URL; write the hostname alone"),
    (re.compile(r"[^/]*/"), "it holds a slash; write the hostname alone, without a path"),
    (re.compile(r"[^@]*@"), "it is a mail address; write the part after the @"),
    (re.compile(r"\[.*\]"), "write an IPv6 address without brackets"),
    (re.compile(r"[^:]*:[0-9]+\Z"), "it names a port; write the hostname alone"),
    (re.compile(r"\s|.*\s\Z", re.DOTALL), "white space stands around it; take it away"),
)


def parse_hostname(text: str, *, public: bool) -> tuple[str, str]:
    """Read a hostname or an IP address: give it as it stands in a certificate, and its registered domain.

    IDNA by UTS 46 to A-labels, lower case, one trailing dot dropped, `*.` in front kept; addresses in their shortest
    form (RFC 5952). The registered domain is by the public suffix list; where that does not know the name, its last two
    labels; empty for an address. `public`: for issuers that everyone trusts, so single labels, special-use names and
    addresses that are not global are refused too. Raises ValueError with a sentence for a person.
    """
    if len(text) > _TEXT_LIMIT:
        raise _refused(text, f"over {_NAME_LIMIT} characters")
    address = _address(text, public=public)
    if address:
        return address, ""
    name = text.removesuffix(".")
    wildcard = name.startswith("*.")
    base = _ascii(name[2:] if wildcard else name, text, public=public)
    full = f"*.{base}" if wildcard else base
    _check_shape(base, full, text)
    if public:
        _check_public(base, text)
    return full, _registered(base, text, wildcard=wildcard)


def _address(text: str, *, public: bool) -> str:
    """Give an IP address in its shortest form, empty if the text is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise _refused(text, "an address with a zone (%) means nothing to others; leave the zone out")
        if address.ipv4_mapped is not None:
            raise _refused(text, f"it is an IPv4 address in disguise; write {address.ipv4_mapped}")
    if public and not address.is_global:
        raise _refused(text, "no public CA signs for a private address; use an issuer of trust: private")
    return str(address)


def _ascii(name: str, text: str, *, public: bool) -> str:
    """Give the A-label form in lower case. Plain names take the short way: `idna` is not even imported."""
    if not name:
        raise _refused(text, "it is empty")
    if not _PLAIN.fullmatch(name):
        _check_pasted(text)
        return _mapped(name, text)
    lower = name.lower()
    if "--" in lower and (public or "xn--" in lower) and any(label[2:4] == "--" for label in lower.split(".")):
        return _mapped(lower, text)
    return lower


def _mapped(name: str, text: str) -> str:
    import idna

    for char in name:
        if char.isascii() and not _PLAIN.fullmatch(char):
            raise _refused(text, f"{_quoted(char)} may not stand in it; hostnames have letters, digits and hyphens")
    try:
        mapped = idna.encode(_DOTS.sub(".", name), uts46=True, std3_rules=True).decode("ascii").lower()
    except UnicodeError as error:
        raise _refused(text, f"{clean(str(error), _SHOWN)}") from None
    if not mapped or mapped.endswith("."):
        raise _refused(text, "an empty label (two dots in a row, or a dot in front)")
    return mapped


def _check_pasted(text: str) -> None:
    for pattern, remedy in _PASTED:
        if pattern.match(text):
            raise _refused(text, remedy)


def _check_shape(base: str, full: str, text: str) -> None:
    if len(full) > _NAME_LIMIT:
        raise _refused(text, f"{len(full)} characters; at most {_NAME_LIMIT} are allowed")
    labels = base.split(".")
    for label in labels:
        _check_label(label, text)
    if labels[-1].isdigit() or re.fullmatch("0x[0-9a-f]*", labels[-1]):
        raise _refused(text, "it ends in a number like an IP address, but is not one")


def _check_label(label: str, text: str) -> None:
    if not label:
        raise _refused(text, "an empty label (two dots in a row, or a dot in front)")
    if "*" in label:
        raise _refused(text, "a wildcard is the whole left-most label, with a name behind it: *.example.com")
    if len(label) > _LABEL_LIMIT:
        raise _refused(text, f"the label {_quoted(label)} is longer than {_LABEL_LIMIT} characters")
    if not _LABEL.fullmatch(label):
        raise _refused(text, f"the label {_quoted(label)} begins or ends with a hyphen")


def _check_public(base: str, text: str) -> None:
    labels = base.split(".")
    if labels[-1] in _SPECIAL:
        raise _refused(text, f"no public CA signs for names below .{labels[-1]}; use an issuer of trust: private")
    if len(labels) == 1:
        raise _refused(
            text, "no public CA signs for a single label; write the full name, or use an issuer of trust: private"
        )


def _registered(base: str, text: str, *, wildcard: bool) -> str:
    known = _suffixes(only_icann=False, encoded="xn--" in base)
    found = known.privatesuffix(base)
    if found:
        return str(found)
    # a suffix of the list's private part (github.io) is somebody's own domain: its owner may have a certificate
    if _suffixes(only_icann=True, encoded="xn--" in base).publicsuffix(base) == base:
        whole = "a wildcard over a whole public suffix" if wildcard else "a public suffix"
        raise _refused(text, f"it is {whole}, below which others register names; name a domain of your own")
    labels = base.split(".")
    return base if known.publicsuffix(base) is not None else ".".join(labels[-2:])


@cache
def _suffixes(*, only_icann: bool, encoded: bool) -> PublicSuffixList:
    """Give the list for names with or without A-labels: to encode its rules takes longer than to read the others."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(
        _encoded() if encoded else [line for line in _rules() if line.isascii()],
        accept_unknown=False,
        accept_encoded_idn=False,
        only_icann=only_icann,
    )


def _encoded() -> Sequence[str]:
    from publicsuffixlist import encode_idn

    return [line if line.isascii() else encode_idn(line.split(" ")[0]) for line in _rules()]


@cache
def _rules() -> Sequence[str]:
    """Give the lines of the list that count."""
    from publicsuffixlist import ENCODING, PSLFILE

    lines = Path(PSLFILE).read_text(ENCODING).splitlines()
    return [line for line in lines if line and (line[0] != "/" or line.startswith(_SECTION))]


def _quoted(text: str) -> str:
    return f"'{clean(text, _SHOWN)}'"


def _refused(text: str, why: str) -> ValueError:
    return ValueError(f"{_quoted(text)} is not a hostname that can be used: {why}")
