"""A file that sites share and that lost blocks, in a pass over some of them: whose blocks it could not put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors.files.api import FileFailed
from reconciler.model.observed import FileChange
from reconciler.model.ports import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model.observed import Inventory
    from reconciler.observe.behind import Behind
    from reconciler.observe.disk import Disk
    from reconciler.observe.view import TargetView

_MAKES: Final = (FileChange.CREATE, FileChange.RESTORE)


def torn(view: TargetView, pass_: Behind, disk: Disk) -> tuple[str, ...]:
    """Give the sites that the pass leaves out and whose blocks are gone from a file that it would write.

    All inventories are read for it, of maybe ten thousand sites; so only where a site that it looks at lost its own
    block, or there is no block at all.
    """
    if pass_.whole:
        return ()
    found: set[str] = set()
    for path, lost in _written(view, pass_).items():
        there = _blocks(disk, path)
        if lost or not there:
            found |= {name for name, entry in view.inventories.items() if name not in there and _had(entry, path)}
    return tuple(sorted(found - pass_.seen.keys()))


def _written(view: TargetView, pass_: Behind) -> dict[str, bool]:
    """Give the files in which the sites of the pass have no block and shall have one; whether one of them had."""
    found: dict[str, bool] = {}
    for site, path in _fragments(view):
        on = pass_.seen[site].on.get(view.name) if site in pass_.seen else None
        facts = (fact for fact in (on.files if on is not None else ()) if fact.path == path)
        if on is not None and any(fact.change in _MAKES and fact.before is None for fact in facts):
            found[path] = found.get(path, False) or (on.inventory is not None and _had(on.inventory, path))
    return found


def _fragments(view: TargetView) -> Iterator[tuple[str, str]]:
    for site, files in view.rendered.items():
        if not isinstance(files, Refusal):
            yield from ((site, file.path) for file in files if file.fragment)


def _had(entry: Inventory, path: str) -> bool:
    return any(file.fragment and file.path == path for file in entry.files)


def _blocks(disk: Disk, path: str) -> Collection[str]:
    try:
        facts = disk.facts(path)
        return disk.parted(path, facts).blocks if facts is not None and facts.kind == "file" else ()
    except FileFailed:
        return ()
