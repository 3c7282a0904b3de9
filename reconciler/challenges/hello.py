"""The first message of a TLS client, read before anything is answered (RFC 8446 section 4.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_RECORD_HEADER: Final = 5
_MOST: Final = 16 * 1024
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_ALPN: Final = 16
_LONGEST_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client asks for: the server name (lower case, None without one) and the protocols, in its order."""

    name: str | None
    protocols: tuple[bytes, ...]


class NotHello(ValueError):
    """What came is no ClientHello that we talk to."""


class _Reader:
    """Reads numbers and vectors (RFC 8446 section 3.4) from bytes that may end anywhere."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) != count:
            raise NotHello
        self._at += count
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


def read_hello(received: bytes) -> Hello | None:
    """Read it; None while not all of it is there. Raises NotHello: too long, in several records, or none at all."""
    if received and received[0] != _HANDSHAKE:
        raise NotHello
    if len(received) < _RECORD_HEADER:
        return None
    length = int.from_bytes(received[3:_RECORD_HEADER])
    if length > _MOST:
        raise NotHello
    if len(received) < _RECORD_HEADER + length:
        return None
    record = _Reader(received[_RECORD_HEADER : _RECORD_HEADER + length])
    if record.number(1) != _CLIENT_HELLO:
        raise NotHello
    return _hello(_Reader(record.vector(3)))


def _hello(body: _Reader) -> Hello:
    body.take(2 + 32)  # version, random
    body.vector(1)  # session
    body.vector(2)  # cipher suites
    body.vector(1)  # compression
    extensions = _Reader(body.vector(2)) if body.more else _Reader(b"")
    name: str | None = None
    protocols: tuple[bytes, ...] = ()
    while extensions.more:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            name = _name(_Reader(content))
        elif kind == _ALPN:
            listed = _Reader(_Reader(content).vector(2))
            protocols = tuple(_all(listed))
    return Hello(name, protocols)


def _all(listed: _Reader) -> list[bytes]:
    found = []
    while listed.more:
        found.append(listed.vector(1))
    return found


def _name(content: _Reader) -> str:
    names = _Reader(content.vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind != _HOST_NAME or names.more or not 1 <= len(name) <= _LONGEST_NAME or not name.isascii():
        raise NotHello
    return name.decode().lower()
