"""A Site's manifest with an `import`: the text of its file changed at one place or two, all else kept to the byte.

What is not understood is not touched: the new text is read back, and must say what it should and nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import UsageError
from reconciler.manifests.kinds.validate import Resource, validate_document
from reconciler.manifests.text.documents import places_in, read_documents

if TYPE_CHECKING:
    from reconciler.manifests.text.source import Path

_SPEC: Final = ("spec",)
_IMPORT: Final = ("spec", "import")
_ISSUERS: Final = ("spec", "issuers")
_BOM: Final = "\ufeff"
_GREATEST_SHORT: Final = 0xFFFF
_NOTHING: Final = re.compile(r"import[ \t]*:[ \t]+(?:~|null|Null|NULL)(?=[ \t]*$|[ \t]+#)")
"""A field that is there and holds nothing; what stands behind it may be a comment."""


class _NotClear(Exception):
    """The text is of a form that is better edited by a person."""


def flow(data: dict[str, Any]) -> str:
    """Write a mapping of texts on one line; what could be read as anything else stands in quotes."""

    def one(value: object) -> str:
        if isinstance(value, dict):
            return flow(value)
        text = str(value)
        plain = text.startswith("/") and not set(text) & set(" #:,[]{}\"'\\\t")
        return text if plain and text.isascii() else f'"{"".join(map(escaped, text))}"'

    def escaped(char: str) -> str:
        return f"\\U{ord(char):08x}" if ord(char) > _GREATEST_SHORT else json.dumps(char)[1:-1]

    return "{" + ", ".join(f"{key}: {one(value)}" for key, value in data.items()) + "}"


def with_import(raw: bytes, file: str, name: str, data: dict[str, Any], issuer: str | None) -> bytes:
    """Give a file's bytes with `import: data` in the Site `name`; and `issuer`, if any, first in its `issuers`.

    Raises UsageError with the line to write where it cannot be done by us.
    """
    try:
        site = _site(raw, file, name)
        text = _Text(raw)
        edits = [_import_edit(text, site, f"import: {flow(data)}")]
        edits += [_issuer_edit(text, site, issuer)] if issuer is not None else []
        changed = text.edited(edits)
        _check(raw, changed, site, data, issuer)
    except (_NotClear, UnicodeDecodeError):
        first = f" and `{issuer}` first in `issuers`" if issuer else ""
        raise UsageError(
            f"{file} cannot be edited safely; write into the spec of Site {name}:\n    import: {flow(data)}{first}"
        ) from None
    return changed


def _site(raw: bytes, file: str, name: str) -> Resource:
    """Find the Site in the very bytes that are edited."""
    checked = [validate_document(document) for document in read_documents(raw, file).documents]
    found = [one for one in checked if isinstance(one, Resource) and (one.kind, one.name) == ("Site", name)]
    if len(found) != 1:
        raise _NotClear
    return found[0]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class _Text:
    """A file as the reader sees it, with one kind of line break, and the way back."""

    def __init__(self, raw: bytes) -> None:
        whole = raw.decode()
        self.bom, self.crlf = whole.startswith(_BOM), "\r\n" in whole
        lone = whole.replace("\r\n", "") if self.crlf else whole
        if "\r" in lone or (self.crlf and "\n" in lone):
            raise _NotClear
        self.text = whole.removeprefix(_BOM).replace("\r\n", "\n")
        self._starts = [0]
        for line in self.text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def offset(self, place: tuple[int, int]) -> int:
        """Give the offset of a line and column, both from 1."""
        return self._starts[place[0] - 1] + place[1] - 1

    def line(self, number: int) -> str:
        """Give a line, from 1."""
        return self.text[self._starts[number - 1] : self._starts[number] - 1]

    def start(self, number: int) -> int:
        """Give the offset at which a line begins; of one after the last, the end."""
        return min(self._starts[min(number, len(self._starts)) - 1], len(self.text))

    @property
    def count(self) -> int:
        """Give the number of lines."""
        return len(self._starts) - 1

    def edited(self, edits: list[_Edit]) -> bytes:
        """Give the bytes of the changed text."""
        text = self.text
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        text = text.replace("\n", "\r\n") if self.crlf else text
        return ((_BOM if self.bom else "") + text).encode()


def _places(site: Resource, path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    values, keys = places_in(site.source)
    if path not in values or path not in keys:
        raise _NotClear
    return keys[path], values[path]


def _import_edit(text: _Text, site: Resource, line: str) -> _Edit:
    values, keys = places_in(site.source)
    (spec_line, _), spec = _places(site, _SPEC)
    is_flow = text.text[text.offset(spec)] == "{"
    if _IMPORT in keys:
        return _replaced(text, keys[_IMPORT], values[_IMPORT], line, is_flow=is_flow)
    if is_flow:
        at = text.offset(spec) + 1
        return _Edit(at, at, f"{line}, ")
    if spec[0] == spec_line:
        raise _NotClear
    indent = text.line(spec[0])[: spec[1] - 1]
    if indent.strip():
        raise _NotClear
    at = text.start(spec_line + 1)
    return _Edit(at, at, f"{indent}{line}\n")


def _replaced(text: _Text, key: tuple[int, int], value: tuple[int, int], line: str, *, is_flow: bool) -> _Edit:
    start = text.offset(key)
    if text.text[text.offset(value)] == "{":
        return _Edit(start, _closing(text.text, text.offset(value)) + 1, line)
    if is_flow:
        raise _NotClear
    empty = _NOTHING.match(text.line(key[0]), key[1] - 1)
    if empty is not None:
        return _Edit(start, start + len(empty.group()), line)
    last = key[0]
    for number in range(key[0] + 1, text.count + 1):
        found = text.line(number)
        if found.strip() and len(found) - len(found.lstrip(" ")) < key[1]:
            break
        last = number if found.strip() else last
    end = text.offset((last, 1)) + len(text.line(last))
    if "#" in text.text[start:end]:
        raise _NotClear  # a comment, or a text in which it is hard to tell
    return _Edit(start, end, line)


def _closing(text: str, start: int) -> int:
    """Find the brace that ends a flow mapping; one with quotes or comments in it is left to a person."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "\"'#":
            raise _NotClear
        depth += (text[at] in "{[") - (text[at] in "}]")
        if depth == 0:
            return at
    raise _NotClear


def _issuer_edit(text: _Text, site: Resource, issuer: str) -> _Edit:
    _, value = _places(site, _ISSUERS)
    at = text.offset(value)
    if text.text[at] == "[":
        return _Edit(at + 1, at + 1, f"{issuer}, ")
    first = places_in(site.source)[0].get((*_ISSUERS, 0))
    if first is None:  # an alias, whose items stand elsewhere
        raise _NotClear
    line, column = first
    before = text.line(line)[: column - 1]
    if before.strip() != "-":
        raise _NotClear
    at = text.start(line)
    return _Edit(at, at, f"{before}{issuer}\n")


def _check(raw: bytes, changed: bytes, site: Resource, data: dict[str, Any], issuer: str | None) -> None:
    """Read both, and compare: the Site with what was added, every other document as it was."""
    before, after = read_documents(raw, site.source.file), read_documents(changed, site.source.file)
    if after.problems or len(before.documents) != len(after.documents):
        raise _NotClear
    for old, new in zip(before.documents, after.documents, strict=True):
        wanted: Any = old.data
        if wanted.get("kind") == "Site" and wanted.get("metadata", {}).get("name") == site.name:
            spec = {**wanted["spec"], "import": data}
            wanted = {**wanted, "spec": {**spec, "issuers": [issuer, *spec["issuers"]]} if issuer else spec}
            if not isinstance(validate_document(new), Resource):
                raise _NotClear
        if new.data != wanted:
            raise _NotClear
