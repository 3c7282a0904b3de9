"""nginx's own view of a configuration: directives as `nginx -T`'s reader cuts them, blocks nested."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<end>[;{}])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<word>[^\s;{}]+)"""
)


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Give (kind, text): `word` or one of `;{}`."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        assert found, text[position : position + 40]
        position = found.end()
        if found["end"]:
            yield found["end"], found["end"]
        elif found.lastgroup is not None:
            yield "word", found[found.lastgroup]


def shape(text: str) -> list[str]:
    """Give the names of all directives with their number of arguments, in order, and the blocks' ends."""
    shape: list[str] = []
    words: list[str] = []
    for kind, token in tokens(text):
        if kind == "word":
            words.append(token)
            continue
        shape.append("}" if kind == "}" else f"{words[0]}/{len(words) - 1}{kind}")
        assert kind != "}" or not words, words
        words = []
    assert not words, words
    return shape
