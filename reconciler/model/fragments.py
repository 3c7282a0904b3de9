"""Files that the sites of a target share, a block a site: `crt-list.txt` of HAProxy, the SNI map of Postfix.

The file is a head, then blocks in order. A block begins with its mark, a comment `# site NAME` (`# site NAME first` for
the one that shall stand before the others), and ends before the next mark. What stands in a block is the site's alone.
A file whose last block has gone goes too, unless that block was marked `kept`: a server that is told of it needs it.
A file without anything in it is as good as ours: somebody made it so that the server starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

HEAD: Final = "# Written by certwright, a block a site. Changes made here are put back.\n"
_MARK: Final = re.compile(r"^# site ([a-z0-9][a-z0-9.-]*)( first| kept)?$", re.ASCII | re.MULTILINE)
# a list of ten thousand sites takes 10 ms to read, is read twice in a pass, and mostly stays as it is
_REMEMBERED: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Parted:
    """Such a file, read: its blocks by site, and whether it begins as we write it, or nothing stands in it.

    `above`: what stands above the first mark.
    """

    blocks: Mapping[str, str] = field(default_factory=dict)
    headed: bool = False
    blank: bool = False
    above: str = ""

    @classmethod
    def of(cls, text: str) -> Parted:
        """Read a file; what stands above its first mark is no block."""
        return _remembered(text) if len(text) <= _REMEMBERED else _parted(text)

    def holds(self, part: str) -> bool:
        """Tell whether the lines of a block stand somewhere, whosever block they are in: its mark alone is gone."""
        lines = part.partition("\n")[2]
        return bool(lines) and any(f"\n{lines}" in text for text in (self.above, *self.blocks.values()))

    @property
    def is_ours(self) -> bool:
        """Tell whether a site of which nothing is known there may put its block in."""
        return self.blank or (self.headed and bool(self.blocks))


def _parted(text: str) -> Parted:
    first = _MARK.search(text)
    return Parted(blocks(text), is_shared(text), is_blank(text), text[: first.start()] if first else text)


_remembered = lru_cache(maxsize=2)(_parted)


def block(site: str, text: str, *, first: bool = False, kept: bool = False) -> str:
    """Give a site's block; `text` is whole lines. It is either `first` or `kept`."""
    return f"# site {site}{' first' if first else ' kept' if kept else ''}\n{text}"


def is_kept(site: str, part: str) -> bool:
    """Tell whether the file stays when this block leaves it."""
    return part.startswith(f"# site {site} kept\n")


def is_shared(text: str) -> bool:
    """Tell whether a file is one of these."""
    return text.startswith(HEAD)


def is_blank(text: str) -> bool:
    """Tell whether nothing stands in a file, or our head alone."""
    return text.strip() in ("", HEAD.strip())


def blocks(text: str) -> dict[str, str]:
    """Give each site's blocks by its name; of a name that stands there twice, both are its block."""
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks), len(text)][1:]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=True):
        found[mark[1]] = found.get(mark[1], "") + text[mark.start() : end]
    return found


def joined(parts: Mapping[str, str]) -> str:
    """Give the file of these blocks, empty if there are none; no block runs into the next one's mark."""
    if not parts:
        return ""
    return HEAD + "".join(_ended(part) for _, part in sorted(parts.items(), key=_order))


def _ended(part: str) -> str:
    """Give a block whose last line ends; somebody's editor may have left it open."""
    return part if part.endswith("\n") else f"{part}\n"


def _order(item: tuple[str, str]) -> tuple[bool, str]:
    site, part = item
    return not part.startswith(f"# site {site} first\n"), site
