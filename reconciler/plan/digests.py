"""Digests of what a decision rests on. No times go in, so that the same decision keeps its identity."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest_of(*parts: str | Iterable[str] | None) -> str:
    """Give 16 hex digits over the parts; where one part ends and the next begins is part of it."""
    hasher = hashlib.sha256()
    for part in parts:
        for text in ("",) if part is None else (part,) if isinstance(part, str) else part:
            raw = text.encode("utf-8", "surrogatepass")
            hasher.update(b"%d:" % len(raw))
            hasher.update(raw)
        hasher.update(b";")
    return hasher.hexdigest()[:16]


def fraction_of(*parts: str) -> float:
    """Give a number in [0, 1) that depends on the parts alone: the jitter."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:6], "big") / 2**48
