"""The text of a manifest file before YAML: what is refused outright, where its documents begin, what may be quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.errors import Problem
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_LIMIT: Final = 1024 * 1024
"""The most bytes that a manifest file may have."""

_EXCERPT_LIMIT: Final = 160
_NOT_PRINTABLE: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_MARKER: Final = re.compile(r"^---(?=[ \t\n]|\Z)", re.MULTILINE)
_NO_CONTENT: Final = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n|%[^\n]*\n)*[ \t]*")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_UNQUOTABLE: Final = re.compile(
    r"private key|\beab\b|hmac|secret|passw|passphrase|token|credential|api.?key|[A-Za-z0-9+/_=-]{40,}", re.IGNORECASE
)
_LINES_AFTER_A_SECRET: Final = 2
PRIVATE_KEY_MESSAGE: Final = (
    "a private key stands here; a manifest never holds one: put it into a file of mode 0600 and name that file, "
    "{file: PATH}"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of one document. `line` is the number, from 1, of its first line in the file."""

    text: str
    line: int


def decode(raw: bytes, file: str) -> str | Problem:
    r"""Give the text with `\n` as its only line break, or the one problem that makes the file unreadable."""
    if len(raw) > FILE_LIMIT:
        return Problem(file, 0, 0, f"the file has {len(raw)} bytes; at most {FILE_LIMIT} are read: split it")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem(
            file,
            *_place_of_byte(raw, error.start),
            f"byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8",
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _NOT_PRINTABLE.search(text)
    if found is None:
        return text
    line, column = place_of(text, found.start())
    name = "NUL" if found.group() == "\0" else f"U+{ord(found.group()):04X}"
    return Problem(file, line, column, f"the control character {name} has no place in a manifest: remove it")


def _place_of_byte(raw: bytes, offset: int) -> tuple[int, int]:
    before = raw[:offset].decode("utf-8", "replace")
    return place_of(before.replace("\r\n", "\n").replace("\r", "\n"), None)


def place_of(text: str, offset: int | None) -> tuple[int, int]:
    """Give line and column, from 1, of an offset (None: the end)."""
    end = len(text) if offset is None else offset
    return text.count("\n", 0, end) + 1, end - (text.rfind("\n", 0, end) + 1) + 1


def split(text: str) -> Iterator[Chunk]:
    """Cut the text before each line that starts a document (YAML 1.2.2 section 9.1.2): a broken one hides no other.

    Such a line cannot be part of a scalar. What holds only comments and directives belongs to the document after it.
    """
    start, line = 0, 1
    for marker in _MARKER.finditer(text):
        if _NO_CONTENT.fullmatch(text, start, marker.start()):
            continue
        yield Chunk(text[start : marker.start()], line)
        line += text.count("\n", start, marker.start())
        start = marker.start()
    yield Chunk(text[start:], line)


def private_key_in(text: str) -> int | None:
    """Give the offset of a private key in PEM, None if there is none."""
    found = _PRIVATE_KEY.search(text)
    return None if found is None else found.start()


def may_hold_secret(text: str) -> bool:
    """Tell whether a line or a value looks as if it held a secret; then nobody quotes it."""
    return _UNQUOTABLE.search(text) is not None


def excerpt(text: str, line: int) -> str:
    """Quote one line (from 1) of a document, cleaned; empty if it is absent or might hold a secret."""
    lines = text.split("\n", line)[:line] if line > 0 else []
    if len(lines) < line or any(may_hold_secret(near) for near in lines[-1 - _LINES_AFTER_A_SECRET :]):
        return ""
    if private_key_in(text) is not None:
        return ""
    return clean(lines[-1].rstrip().replace("\t", " ") if lines else "", _EXCERPT_LIMIT)


def shown(value: object, limit: int = 60) -> str:
    """Give a value for a message: short, cleaned; only its length if it might be a secret."""
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    if may_hold_secret(text):
        return f"a text of {len(text)} characters"
    return f"`{clean(text, limit)}`"
