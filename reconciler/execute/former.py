"""The record of a switch, read back after a process was killed: each file's former bytes, and what it was to become."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import StoreError
from reconciler.execute.content import Content

_DAMAGED: Final = (
    "the record of a switch that was left half-way (`switch.json` of this target, below `inventory` in the state "
    "directory) is damaged, so nothing is put back; see that the target's files are right, then move the record away"
)


@dataclass(frozen=True, slots=True)
class Former:
    """One file: what stood there (None: nothing), and the digest of what was put there (None: it was removed).

    `shared`: sites share the file, and it is put back whatever stands there now.
    """

    path: str
    before: Content | None
    digest: str | None
    shared: bool


def read_record(record: bytes) -> list[Former]:
    """Give the files of a record, or raise StoreError; nothing of a damaged record is believed."""
    try:
        return [_former(row) for row in json.loads(record)["files"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(_DAMAGED) from None


def _former(row: Any) -> Former:  # noqa: ANN401  JSON has no tighter type
    before, shared = row["before"], bool(row.get("shared"))
    path, digest = row["path"], None if shared else row["digest"]
    if not isinstance(path, str) or not path.startswith("/") or not isinstance(digest, str | None):
        raise TypeError(path)
    return Former(path, None if before is None else _content(before), digest, shared)


def _content(plain: Any) -> Content:  # noqa: ANN401  JSON has no tighter type
    numbers = [int(plain[name]) for name in ("mode", "uid", "gid")]
    return Content(base64.b64decode(plain["data"], validate=True), *numbers)
