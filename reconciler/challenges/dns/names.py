"""Pure: owner names and values of the records that prove a name."""

from __future__ import annotations

import hashlib
from base64 import b32encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Collection

CHALLENGE: Final = "_acme-challenge"
PERSIST: Final = "_validation-persist"
_LABEL_BYTES: Final = 10
_LONGEST: Final = 253


def base_of(hostname: str) -> str:
    """Give the name whose control is proven: a wildcard's without `*.`."""
    return hostname.removeprefix("*.")


def challenge_name(hostname: str) -> str:
    """Give the owner name of dns-01 (RFC 8555 section 8.4): a wildcard and its base share it."""
    return f"{CHALLENGE}.{base_of(hostname)}"


def account_name(hostname: str, account: str) -> str:
    """Give the owner name of dns-account-01 (draft-ietf-acme-dns-account-label) for an account's URL."""
    digest = hashlib.sha256(account.encode()).digest()[:_LABEL_BYTES]
    return f"_{b32encode(digest).decode().lower()}.{challenge_name(hostname)}"


def persist_name(hostname: str) -> str:
    """Give the owner name of dns-persist-01 (draft-ietf-acme-dns-persist)."""
    return f"{PERSIST}.{base_of(hostname)}"


def checked_length(hostname: str, owner: str) -> str:
    """Give the owner name, if the DNS can hold it (RFC 1035 section 2.3.4). Raises Failed(HostnameUnfit)."""
    if len(owner) > _LONGEST:
        words = f"its record would stand at a name of {len(owner)} characters, and the DNS has {_LONGEST} at most"
        raise Failed("HostnameUnfit", f"{hostname} cannot be proven by DNS: {words}")
    return owner


def challenge_value(key_authorization: str) -> str:
    """Give the TXT value: base64url, without padding, of the SHA-256 of the key authorization."""
    return urlsafe_b64encode(hashlib.sha256(key_authorization.encode()).digest()).decode().rstrip("=")


def persist_value(hostname: str, issuer: str, account: str) -> str:
    """Give the text of a standing record that lets one account prove a name."""
    policy = "; policy=wildcard" if hostname.startswith("*.") else ""
    return f"{issuer}; accounturi={account}{policy}"


def persists(found: str, wanted: str, issuers: Collection[str], now: float) -> bool:
    """Tell whether a standing record does what the wanted one would; `now` in seconds since 1970."""
    theirs, ours = _parsed(found), _parsed(wanted)
    if theirs is None or ours is None:
        return False
    until = theirs.get("persistuntil", "")
    lasts = "persistuntil" not in theirs or (until.isascii() and until.isdecimal() and float(until[:15]) > now)
    covers = ours.get("policy") is None or theirs.get("policy", "").lower() == "wildcard"
    same = theirs.get("accounturi") == ours.get("accounturi")
    return theirs[""].lower().removesuffix(".") in issuers and same and covers and lasts


def _parsed(text: str) -> dict[str, str] | None:
    """Read name and parameters; None where one stands there twice, which no CA may accept."""
    first, *rest = (part.strip() for part in text.split(";"))
    pairs = [part.partition("=") for part in rest if part]
    found = {"": first, **{key.strip().lower(): value.strip() for key, _, value in pairs}}
    return found if len(found) == len(pairs) + 1 else None
