"""The envelope of every record on disk: `{"v": 1, "writtenBy": "0.1.0", "data": {...}}`, one line of JSON."""

from __future__ import annotations

import dataclasses
import json
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from reconciler.errors import NewerStore
from reconciler.model.plain import from_plain, to_plain
from reconciler.model.text import clean

T = TypeVar("T")
_SHORT: Final = 16 * 1024
_JSON: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class Unreadable(ValueError):
    """A record is not what this program writes; the caller decides what follows."""


def encode(record: object, by: str, **more: object) -> bytes:
    """Give the bytes of a record; `more` are further fields of the envelope."""
    envelope = {"v": getattr(record, "v", 1), "writtenBy": by, **more, "data": to_plain(record)}
    return _JSON.encode(envelope).encode() + b"\n"


def decode(kind: type[T], raw: bytes, path: str) -> T:
    """Make the record of its bytes. Raises Unreadable, or NewerStore if a newer format wrote it.

    One batch reads what it knows of its target and its sites several times over: the same bytes are the same value.
    """
    return cast("T", _short(cast("Any", kind), raw, path)) if len(raw) <= _SHORT else decode_all(kind, raw, path)[0]


@lru_cache(maxsize=128)
def _short(kind: type[object], raw: bytes, path: str) -> object:
    return decode_all(kind, raw, path)[0]


def decode_all(kind: type[T], raw: bytes, path: str) -> tuple[T, dict[str, Any]]:
    """Make the record of its bytes and give the whole envelope too."""
    envelope = _envelope(raw, path)
    _check_format(kind, envelope, path)
    try:
        return from_plain(kind, envelope.get("data")), envelope
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is damaged: {clean(str(error), 200)}") from None


def _envelope(raw: bytes, path: str) -> dict[str, Any]:
    if not raw.strip():
        raise Unreadable(f"{path} is damaged: it is empty")
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError) as error:
        # one line that we end: what has no end was cut off, as by a disk that was full
        why = "it is cut off" if not raw.endswith(b"\n") else f"it is no JSON ({clean(str(error), 100)})"
        raise Unreadable(f"{path} is damaged: {why}") from None
    if not isinstance(envelope, dict):
        raise Unreadable(f"{path} is damaged: it is no record")
    return envelope


def _check_format(kind: type, envelope: dict[str, Any], path: str) -> None:
    written = envelope.get("v")
    if not isinstance(written, int):
        raise Unreadable(f"{path} is damaged: it has no format number")
    if written > known(kind):
        by = clean(str(envelope.get("writtenBy")), 40)
        raise NewerStore(
            f"{clean(path, 300)} was written by certwright {by} (format {written}); use that version or a newer one"
        )


def known(kind: type) -> int:
    """Give the format that this program writes for a kind of record: the default of its field `v`."""
    if not dataclasses.is_dataclass(kind):
        return 1
    return next((cast("int", field.default) for field in dataclasses.fields(kind) if field.name == "v"), 1)
