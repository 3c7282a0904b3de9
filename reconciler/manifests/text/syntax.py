"""What the YAML parser says, said so that a person knows what to mend."""

from __future__ import annotations

import re
from typing import Any, Final

from reconciler.manifests.text.composing import Refused
from reconciler.manifests.text.rawtext import may_hold_secret
from reconciler.model.text import clean

_WILDCARD: Final = re.compile(r"\*\.[^\s,\]}'\"]*")

_BRACES: Final = "a mapping that opens here with `{` lacks a `,` or its `}`; a text with braces in it needs quotes"
_FITS_NOT: Final = "this fits nothing before it: check the indentation, and the text around a quote"
_NO_ITEM: Final = "this line fits nothing above it: check its indentation; an item of a list starts with `- `"
_TWICE: Final = "a second `: ` in one line: put the text in quotes; or an indentation that fits nothing above"
_NO_ESCAPE: Final = "this is no escape of a double-quoted text: use single quotes, or double the backslash"

_SENTENCES: Final[tuple[tuple[str, str], ...]] = (
    ("mapping values are not allowed", _TWICE),
    ("found unexpected end of stream", "a quote is opened here and never closed"),
    ("unexpected document indicator", "a quote is opened here and never closed"),
    ("cannot start any token", "no text may start with this character: put it in quotes"),
    ("did not find expected ',' or ']'", "a list that opens here with `[` lacks a `,` or its `]`"),
    ("expected ',' or ']'", "a list that opens here with `[` lacks a `,` or its `]`"),
    ("did not find expected ',' or '}'", _BRACES),
    ("expected ',' or '}'", _BRACES),
    ("did not find expected key", _FITS_NOT),
    ("expected <block end>", _FITS_NOT),
    ("did not find expected '-' indicator", _NO_ITEM),
    ("could not find expected ':'", "a key that stands here lacks its `: `"),
    ("sequence entries are not allowed", "a `- ` has no place here: check its indentation"),
    ("unexpected ':'", "a `:` without a blank after it, or a text that needs quotes"),
    ("node content", "something is missing here: a value, or the `]` or `}` of a line above"),
    ("unknown escape character", _NO_ESCAPE),
    ("<document start>", "a second value without `---` before it, or an indentation that fits nothing above"),
)  # fmt: skip
_AT_CONTEXT: Final = ("a quote is opened", "a list that opens", "a mapping that opens", "a key that stands")


def syntax_problem(error: Any, text: str) -> Refused:  # noqa: ANN401  the parser's own type stays behind its door
    """Turn a MarkedYAMLError over this document into a place and a sentence."""
    said = f"{error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.split("\n")
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    here = lines[line]
    indentation = here[: len(here) - len(here.lstrip(" \t"))]
    if "\t" in indentation:
        return Refused(line + 1, indentation.index("\t") + 1, "a tab indents this line: use spaces")
    if "alias" in f"{error.context or ''}":
        return _alias(error.context_mark or mark, lines)
    sentence = next((ours for theirs, ours in _SENTENCES if theirs in said), f"this is not YAML: {clean(said, 100)}")
    if sentence.startswith(_AT_CONTEXT) and error.context_mark:
        line, column = error.context_mark.line, error.context_mark.column
    return Refused(line + 1, column + 1, sentence)


def _alias(mark: Any, lines: list[str]) -> Refused:  # noqa: ANN401
    here = lines[mark.line] if mark.line < len(lines) else ""
    found = None if may_hold_secret(here) else _WILDCARD.match(here, mark.column)
    name = clean(found.group() if found else "*.example.com", 80)
    return Refused(
        mark.line + 1, mark.column + 1, f'a text that starts with `*` needs quotes: put it in quotes: "{name}"'
    )
