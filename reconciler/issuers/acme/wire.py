"""HTTP/1.1 as far as a CA speaks it (RFC 9110, RFC 9112): one request out, one whole answer in, everything bounded.

The standard library reads headers with its parser of mail, which takes a quarter of an order's time. An answer that is
not plain HTTP/1.1 is Malformed, never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

Headers = dict[str, tuple[str, ...]]

_LINE: Final = 8 * 1024
_MOST_HEADERS: Final = 100
_MOST_INTERIM: Final = 8
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?", re.ASCII)
_NAME: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?", re.ASCII)
_INTERIM: Final = range(100, 200)
_NO_BODY: Final = frozenset({204, 304})


class MalformedError(ValueError):
    """What came is no whole answer."""


class TooLargeError(ValueError):
    """The body is longer than any answer of this step is."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer. Header names are lower case; `keep` tells whether the connection may carry another request."""

    status: int
    headers: Headers
    body: bytes
    keep: bool


def request(method: str, target: str, headers: bytes, body: bytes | None) -> bytes:
    """Give a request as it goes out; `headers` are whole lines, and `target` was checked by `origin`."""
    length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
    return b"%s %s HTTP/1.1\r\n%s%s\r\n%s" % (method.encode(), target.encode("ascii"), headers, length, body or b"")


def lines(headers: Mapping[str, str]) -> bytes:
    """Give header lines."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")


def read_answer(stream: BufferedReader, method: str, limit: int) -> Whole:
    """Read one answer whole.

    Raises MalformedError (also for one that ends early), TooLargeError (a body over `limit` bytes), OSError.
    """
    minor, status, headers = _head(stream)
    keep = minor == 1 and not any("close" in value.lower() for value in headers.get("connection", ()))
    if method == "HEAD" or status in _NO_BODY:
        return Whole(status, headers, b"", keep)
    if "transfer-encoding" in headers:
        if [value.strip().lower() for value in headers["transfer-encoding"]] != ["chunked"]:
            raise MalformedError("a transfer encoding that nobody asked for")
        # with both, somebody between us may see another end of it (RFC 9112 section 6.3)
        return Whole(status, headers, _chunks(stream, limit), keep and "content-length" not in headers)
    if "content-length" in headers:
        return Whole(status, headers, _exactly(stream, _length(headers["content-length"], limit)), keep)
    return Whole(status, headers, _rest(stream, limit), keep=False)


def _head(stream: BufferedReader) -> tuple[int, int, Headers]:
    """Read up to the final status and its headers."""
    for _ in range(_MOST_INTERIM):
        first, *rest = _lines(stream)
        found = _STATUS.fullmatch(first)
        if found is None:
            raise MalformedError("an answer that is not HTTP/1.1")
        headers, status = _headers(rest), int(found[2])
        if status not in _INTERIM:
            return int(found[1]), status, headers
    raise MalformedError("interim answers without end")


def _lines(stream: BufferedReader) -> list[bytes]:
    """Read the lines up to an empty one; mostly all of them came with one read."""
    seen = stream.peek()
    end = seen.find(b"\r\n\r\n")
    if 0 < end <= _LINE:
        head = stream.read(end + 4)[:end]
        if head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n"):
            return head.split(b"\r\n")
        raise MalformedError("a bare line end in its head")
    found = [_line(stream)]
    while len(found) <= _MOST_HEADERS + 1 and (line := _line(stream)):
        found.append(line)
    return found


def _line(stream: BufferedReader) -> bytes:
    line = stream.readline(_LINE + 1)
    if len(line) > _LINE:
        raise MalformedError("a line of over 8 KiB in its head")
    if not line.endswith(b"\n"):
        raise MalformedError("the other side closed the connection")
    return line.rstrip(b"\r\n")


def _headers(found: list[bytes]) -> Headers:
    if len(found) > _MOST_HEADERS:
        raise MalformedError(f"more than {_MOST_HEADERS} header lines")
    headers: Headers = {}
    for line in found:
        name, colon, value = line.partition(b":")
        key, text = _key(name) if colon else "", value.decode("latin-1").strip(" \t")
        if not key:
            raise MalformedError("a header line that is none")
        headers[key] = (*headers[key], text) if key in headers else (text,)
    return headers


@lru_cache(maxsize=256)
def _key(name: bytes) -> str:
    """Give a header's name in lower case, empty if it is none: each answer of a CA has the same dozen."""
    return "" if _NAME.fullmatch(name) is None else name.decode("ascii").lower()


def _length(values: tuple[str, ...], limit: int) -> int:
    if len(set(values)) != 1 or _LENGTH.fullmatch(values[0]) is None:
        raise MalformedError("a content length that is none")
    if int(values[0]) > limit:
        raise TooLargeError
    return int(values[0])


def _exactly(stream: BufferedReader, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise MalformedError(f"the answer ended after {len(content)} of {size} bytes")
    return content


def _chunks(stream: BufferedReader, limit: int) -> bytes:
    """Read the chunks and their trailer (RFC 9112 section 7.1)."""
    content = bytearray()
    while True:
        found = _CHUNK.fullmatch(_line(stream))
        if found is None:
            raise MalformedError("a chunk without a size")
        size = int(found[1], 16)
        if not size:
            _skip_trailer(stream)
            return bytes(content)
        if len(content) + size > limit:
            raise TooLargeError
        content += _exactly(stream, size)
        if _line(stream):
            raise MalformedError("a chunk longer than it says")


def _skip_trailer(stream: BufferedReader) -> None:
    for _ in range(_MOST_HEADERS):
        if not _line(stream):
            return
    raise MalformedError(f"more than {_MOST_HEADERS} lines after its body")


def _rest(stream: BufferedReader, limit: int) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise TooLargeError
    return content
