"""The nearest known word to one that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST: Final = 20
_LONGEST: Final = 100


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that was most likely meant; spelling in `snake_case`, `kebab-case` or other case is near."""
    words = {_folded(one): one for one in sorted(known, reverse=True)}
    if len(word) > _LONGEST:
        return None
    found = difflib.get_close_matches(_folded(word), words, n=1, cutoff=0.7)
    return words[found[0]] if found else None


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give `did you mean ...?`, or the words that are known."""
    names = sorted(known)
    near = nearest(word, names)
    if near:
        return f"did you mean `{near}`?"
    more = ", ..." if len(names) > _MOST else ""
    return f"known are {', '.join(names[:_MOST])}{more}" if names else "none is known"
