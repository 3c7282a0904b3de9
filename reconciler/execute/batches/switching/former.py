"""The record of a switch, read back after a process was killed: each file's former bytes, and what it was to become.

What the inventory knows was switched, tested and loaded: an inventory is written site by site, so a killed process may
have finished some of them. Of those nothing is put back, neither files nor blocks in a file that sites share.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Failed, StoreError
from reconciler.execute.batches.switching import blocks
from reconciler.execute.batches.switching.content import Content, read
from reconciler.execute.batches.switching.swap import restore, sweep
from reconciler.model import fragments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.model.observed import Inventory

Known = tuple[str, str | None]
"""A path, and of a file that sites share the site whose block is meant."""

_DAMAGED: Final = (
    "the record of a switch that was left half-way (`switch.json` of this target, below `inventory` in the state "
    "directory) is damaged, so nothing is put back; see that the target's files are right, then move the record away"
)


@dataclass(frozen=True, slots=True)
class Former:
    """One file: what stood there (None: nothing), and the digest of what was put there (None: it was removed).

    `block`: sites share the file, and only this site's block in it is meant; the file `stays` when that goes.
    """

    path: str
    before: Content | None
    digest: str | None
    block: str | None = None
    stays: bool = False

    @property
    def turn(self) -> int:
        """Give when it is its turn: what a shared file names is there before it is named, and goes after that."""
        return 1 if self.block is not None else 0 if self.before is not None else 2

    def is_over(self, known: Mapping[Known, Collection[str]]) -> bool:
        """Tell whether the inventory has it as it was to become."""
        digests = known.get((self.path, self.block), ())
        return self.digest in digests if self.digest is not None else not digests

    def was_made(self, now: Content | None) -> bool:
        """Tell whether what stands there is what was put there; else somebody changed it, or it was never reached."""
        return (now.digest if now is not None else None) == self.digest


def known_of(entries: Iterable[Inventory]) -> dict[Known, set[str]]:
    """Give the digests that inventories have of each path."""
    found: dict[Known, set[str]] = {}
    for entry in entries:
        for file in entry.files:
            found.setdefault((file.path, entry.site if file.fragment else None), set()).add(file.digest)
    return found


def put_back(record: bytes, known: Mapping[Known, Collection[str]]) -> list[Failed]:
    """Put back what a switch that was cut off had changed; give why some could not be (they stay on record).

    Raises StoreError if the record is damaged.
    """
    left: list[Failed] = []
    rows = read_record(record)
    sweep(row.path.rpartition("/")[0] for row in rows)
    unfinished = [row for row in rows if not row.is_over(known)]
    groups: dict[tuple[int, str], list[Former]] = {}
    for row in unfinished:
        groups.setdefault((row.turn, row.path), []).append(row)
    for (_, path), group in sorted(groups.items()):
        try:
            _put_back(path, group)
        except Failed as failure:
            left.append(failure)
    return left


def _put_back(path: str, rows: Sequence[Former]) -> None:
    """Put one path back, of which there may be two rows: what a batch put there, and that it was taken out again."""
    if rows[0].block is not None:
        _put_blocks_back(path, rows)
    elif (now := read(path)) != rows[0].before and any(row.was_made(now) for row in rows):
        restore(path, rows[0].before)


def _put_blocks_back(path: str, rows: Sequence[Former]) -> None:
    now = read(path)
    parts = fragments.blocks(now.data.decode("utf-8", "replace")) if now is not None else {}
    edits: dict[str, Content | None] = {}
    for row in rows:
        block = parts.get(row.block or "")
        stands = Content(block.encode(), 0, 0, 0) if block is not None else None
        if row.was_made(stands):
            edits[row.block or ""] = row.before
    stays = any(row.stays for row in rows)
    if edits and (edited := blocks.edited(now, edits, stays=stays)) != now:
        restore(path, edited)


def read_record(record: bytes) -> list[Former]:
    """Give the files of a record, or raise StoreError; nothing of a damaged record is believed."""
    try:
        return [_former(row) for row in json.loads(record)["files"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(_DAMAGED) from None


def _former(row: Any) -> Former:  # noqa: ANN401  JSON has no tighter type
    path, before, digest, block = row["path"], row["before"], row["digest"], row.get("block")
    fits = isinstance(path, str) and isinstance(digest, str | None) and isinstance(block, str | None)
    if not fits or not path.startswith("/"):
        raise TypeError(path)
    return Former(path, None if before is None else _content(before), digest, block, row.get("stays") is True)


def _content(plain: Any) -> Content:  # noqa: ANN401  JSON has no tighter type
    numbers = [int(plain[name]) for name in ("mode", "uid", "gid")]
    return Content(base64.b64decode(plain["data"], validate=True), *numbers)
