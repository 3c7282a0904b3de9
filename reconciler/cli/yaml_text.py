"""JSON values as YAML for a person. JSON is YAML already; this only takes the braces away.

A writer of its own, since reading YAML (and the library for it) belongs to the manifests alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# nothing that any YAML version could take for a number, a time or a truth value
_PLAIN: Final = re.compile(r"(?=.*[A-Za-z]{2})[A-Za-z/][A-Za-z0-9/._-]*", re.ASCII)
_PAIR: Final = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "inf", "nan"})


def yaml_text(value: object) -> str:
    """Give a YAML document, with a newline at its end."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{_scalar(str(key))}:", item)
    elif isinstance(value, list) and value:
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(head: str, item: object) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield head
        yield from (f"  {line}" for line in _lines(item))
    else:
        yield f"{head} {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _PAIR.sub(_whole, json.dumps(value))


def _whole(pair: re.Match[str]) -> str:
    """Give one escape for a character that JSON escapes by two: YAML reads each half as a character of its own."""
    char = json.loads('"' + pair[0] + '"')
    return f"\\U{ord(char):08x}"
