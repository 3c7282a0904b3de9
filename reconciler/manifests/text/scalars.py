"""What an unquoted word of YAML means: the core schema of YAML 1.2.2, section 10.3.2.

One meaning is ours: a decimal number with a leading zero (`010`) stays the text that it looks like, since readers take
it for eight, for ten and for a mode.
"""

from __future__ import annotations

import re
from typing import Final

Scalar = str | int | float | bool | None

_NUMBER_LIMIT: Final = 18
_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_NUMERIC_START: Final = frozenset("0123456789+-.")


def meaning(word: str) -> Scalar:
    """Give the value of a plain scalar; ValueError with a sentence if it is a number too long to be one."""
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMERIC_START:
        return word
    return _number(word)


def _number(word: str) -> Scalar:
    if _LEADING_ZERO.fullmatch(word):
        return word
    if _DECIMAL.fullmatch(word):
        return int(_bounded(word))
    if _BASED.fullmatch(word):
        return int(_bounded(word), 0)
    if _FLOAT.fullmatch(word):
        return float(word)
    if _SPECIAL.fullmatch(word):
        return float(word.replace(".", ""))
    return word


def _bounded(word: str) -> str:
    if len(word) > _NUMBER_LIMIT:
        raise ValueError(f"a number of {len(word)} digits; if a text is meant, put it in quotes")
    return word
