"""Pure: what a provider says of a failure, without what it was given in confidence."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# the libraries of HTTP tell the path alone, too: `Max retries exceeded with url: /api?key=...`
_QUERY: Final = re.compile(r"((?:[a-z]+:/)?/[^\s?]*)\?\S+", re.IGNORECASE)


def without_secrets(words: str, secrets: Iterable[str]) -> str:
    """Put `***` for each secret, as it is, quoted or escaped, and cut the query, where many log in, off every URL."""
    patterns = [_written(secret) for secret in sorted(set(secrets), key=len, reverse=True) if secret]
    told = re.sub("|".join(patterns), "***", words) if patterns else words
    return _QUERY.sub(r"\1", told)


def _written(secret: str) -> str:
    return "".join(map(_character, secret))


def _character(one: str) -> str:
    """Match a character as a URL (RFC 3986 section 2.1), a form, JSON or Python may write it: each quotes others."""
    encoded = "".join(f"%{byte:02x}" for byte in one.encode())
    bytewise = "".join(rf"\x{byte:02x}" for byte in one.encode())
    spelled = [encoded, bytewise, repr(one)[1:-1], json.dumps(one)[1:-1], f"\\{one}"]
    spelled += ["+"] if one == " " else []
    either = "|".join(re.escape(text) for text in dict.fromkeys(spelled))
    return f"(?:{re.escape(one)}|(?i:{either}))"
