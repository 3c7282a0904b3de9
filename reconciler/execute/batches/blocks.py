"""Blocks of files that sites share (`model.fragments`): read once for a batch, put into the file as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.execute.batches.content import Content
from reconciler.model import fragments
from reconciler.model.changes import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT: Final = 16 << 20


@dataclass(slots=True)
class SharedFiles:
    """What the shared files held when a batch began."""

    _files: dict[str, tuple[Content | None, Mapping[str, str]]] = field(default_factory=dict)

    def block(self, path: str, site: str, *, ours: bool) -> Content | None:
        """Give a site's block as the content of a file; None if there is none.

        Raises Failed: the path cannot be used, or what stands there is no file of ours (unless it is known to be).
        """
        if path not in self._files:
            content = read(path)
            self._files[path] = content, {} if content is None else fragments.blocks(_text(content))
        content, parts = self._files[path]
        if content is None:
            return None
        if not ours and not fragments.is_shared(_text(content)):
            raise Failed(Reason.FOREIGN_FILE, f"{path} is not ours and stands where ours should; move it away")
        return None if site not in parts else replace(content, data=parts[site].encode())


def read(path: str) -> Content | None:
    """Read a shared file; None if nothing stands there."""
    if files.stat_file(path) is None:
        return None
    data, facts = files.read_with_stat(path, LIMIT)
    return Content(data, facts.mode, facts.uid, facts.gid)


def edited(now: Content | None, edits: Mapping[str, Content | None]) -> Content | None:
    """Give a shared file with these sites' blocks in place of theirs; None if no block is left and it need not stay."""
    text = "" if now is None else _text(now)
    parts = fragments.blocks(text) if fragments.is_shared(text) else {}
    parts.update({site: _text(content) for site, content in edits.items() if content is not None})
    gone = {site: parts.pop(site) for site, content in edits.items() if content is None and site in parts}
    like = next((content for content in edits.values() if content is not None), now)
    stays = text == fragments.HEAD or any(fragments.is_kept(site, part) for site, part in gone.items())
    joined = fragments.joined(parts) or (fragments.HEAD if stays else "")
    return None if like is None or not joined else replace(like, data=joined.encode())


def _text(content: Content) -> str:
    return content.data.decode("utf-8", "replace")
