"""Blocks of files that sites share (`model.fragments`): read once for a batch, put into the file as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.errors import Failed
from reconciler.execute.batches.switching.content import Content, read
from reconciler.model import fragments
from reconciler.model.changes import Reason
from reconciler.model.fragments import Parted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.observed import Inventory


@dataclass(slots=True)
class SharedFiles:
    """What the shared files held when a batch began."""

    _files: dict[str, tuple[Content | None, Parted]] = field(default_factory=dict)
    _owners: dict[str, frozenset[str]] = field(default_factory=dict)

    def block(self, path: str, site: str, *, ours: bool) -> Content | None:
        """Give a site's block as the content of a file; None if there is none.

        Raises Failed: the path cannot be used, or what stands there is no file of ours (unless it is known to be).
        """
        content, parted = self._read(path)
        if content is None:
            return None
        if not ours and not parted.is_ours:
            raise Failed(Reason.FOREIGN_FILE, f"{path} is not ours and stands where ours should; move it away")
        return None if site not in parted.blocks else replace(content, data=parted.blocks[site].encode())

    def forget(self) -> None:
        """Let each file be read anew."""
        self._files.clear()

    def is_empty(self, path: str) -> bool:
        """Tell whether no site has a block there: the file is gone, or somebody wrote another in its place."""
        return not self._read(path)[1].blocks

    def is_blank(self, path: str) -> bool:
        """Tell whether the file is there and nothing stands in it."""
        return self._read(path)[1].blank

    def is_headless(self, path: str) -> bool:
        """Tell whether there are blocks, but something that is not ours above them."""
        parted = self._read(path)[1]
        return bool(parted.blocks) and not parted.headed

    def owners(self, path: str, inventories: Callable[[], Mapping[str, Inventory]]) -> frozenset[str]:
        """Give the sites that have a block there by inventory; they are read once."""
        if path not in self._owners:
            had = inventories()
            mine = (name for name, entry in had.items() if any(one.path == path for one in entry.files))
            self._owners[path] = frozenset(mine)
        return self._owners[path]

    def _read(self, path: str) -> tuple[Content | None, Parted]:
        if path not in self._files:
            content = read(path)
            self._files[path] = content, Parted() if content is None else Parted.of(_text(content))
        return self._files[path]


def edited(now: Content | None, edits: Mapping[str, Content | None], *, stays: bool = False) -> Content | None:
    """Give a shared file with these sites' blocks in place of theirs; None if no block is left and it need not stay.

    The blocks of the others stay, whatever stands above the first one. `stays`: so does the file.
    """
    text = "" if now is None else _text(now)
    parts = fragments.blocks(text)
    parts.update({site: _text(content) for site, content in edits.items() if content is not None})
    gone = {site: parts.pop(site) for site, content in edits.items() if content is None and site in parts}
    like = next((content for content in edits.values() if content is not None), now)
    stays |= now is not None and fragments.is_blank(text)
    stays |= any(fragments.is_kept(site, part) for site, part in gone.items())
    joined = fragments.joined(parts) or (fragments.HEAD if stays else "")
    return None if like is None or not joined else replace(like, data=joined.encode())


def _text(content: Content) -> str:
    return content.data.decode("utf-8", "replace")
