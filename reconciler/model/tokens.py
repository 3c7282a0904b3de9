"""What a CA's token and a key authorization look like (RFC 8555 section 8.1): judged before any use, by one rule."""

from __future__ import annotations

import re
from typing import Final

_ALPHABET: Final = "[A-Za-z0-9_-]"
_TOKEN: Final = re.compile(rf"{_ALPHABET}{{22,128}}", re.ASCII)
_KEY_AUTHORIZATION: Final = re.compile(rf"{_ALPHABET}{{22,128}}\.{_ALPHABET}{{43}}".encode(), re.ASCII)
_PUBLISHED: Final = re.compile(rf"{_ALPHABET}{{1,200}}", re.ASCII)


def is_token(text: str) -> bool:
    """Tell whether this is a token: base64url of at least 128 bits, and no longer than a name may be."""
    return _TOKEN.fullmatch(text) is not None


def is_key_authorization(content: bytes) -> bool:
    """Tell whether this is a token, a dot and the thumbprint of an account's key, and nothing else."""
    return _KEY_AUTHORIZATION.fullmatch(content) is not None


def is_published_name(text: str) -> bool:
    """Tell whether an answer may be published under this name: a token, or a name of our own for a proof."""
    return _PUBLISHED.fullmatch(text) is not None
