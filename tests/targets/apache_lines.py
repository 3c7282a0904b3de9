"""Apache's own view of a configuration: a directive a line, its words, sections nested."""

from __future__ import annotations

import re

_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\S+')


def shape(text: str) -> list[str]:
    """Give the names of all directives with their number of arguments, in order."""
    found = []
    for line in re.sub(r"\\\r?\n", "", text).split("\n"):
        bare = line.strip(" \t\r\f\v")
        if not bare or bare.startswith("#"):
            continue
        if bare.startswith("<"):
            assert bare.endswith(">"), bare
            bare = bare[:-1]
        words = _WORD.findall(bare)
        found.append(f"{words[0].lower()}/{len(words) - 1}")
    return found
