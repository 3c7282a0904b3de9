"""A file that sites share and that lost blocks, in a pass over some of them: whose blocks it could not put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors.files.api import FileFailed
from reconciler.model.observed import FileChange
from reconciler.model.ports import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model.observed import Inventory
    from reconciler.model.ports import Cache
    from reconciler.observe.behind import Behind
    from reconciler.observe.disk import Disk
    from reconciler.observe.view import TargetView

_NAMESPACE: Final = "complete"
_MAKES: Final = (FileChange.CREATE, FileChange.RESTORE)


class Complete:
    """Remembers by its stat signature that a file which sites share lacked nobody's block."""

    def __init__(self, cache: Cache) -> None:
        """Take the cache that keeps the rows."""
        self._cache = cache

    def knows(self, target: str, path: str, signature: str) -> bool:
        """Tell whether such a file was complete."""
        key = f"{target} {path}"
        return self._cache.rows(_NAMESPACE, [key]).get(key, ("", ""))[0] == signature

    def note(self, target: str, path: str, signature: str) -> None:
        """Note that it is."""
        self._cache.put(_NAMESPACE, {f"{target} {path}": (signature, "")})


def torn(view: TargetView, pass_: Behind, disk: Disk, *, switching: bool) -> tuple[str, ...]:
    """Give the sites that the pass leaves out and whose blocks are gone from a file that it would have taken up.

    All inventories are read for it, of maybe ten thousand sites; so only once for each state of the file. While a
    switch is being made (`switching`) only where a site that the pass looks at lost its own block, or there is
    no block at all: a block may be gone and not yet forgotten.
    """
    if pass_.whole:
        return ()
    found: set[str] = set()
    written, complete = _written(view, pass_), pass_.complete
    for path in dict.fromkeys(path for _, path in _fragments(view)):
        signature, there = _blocks(disk, path)
        if written.get(path) or (path in written and not there):
            found |= _missing(view, path, there)
        elif not switching and signature and not complete.knows(view.name, path, signature):
            missing = _missing(view, path, there)
            found |= missing
            if not missing:
                complete.note(view.name, path, signature)
    return tuple(sorted(found - pass_.seen.keys()))


def _missing(view: TargetView, path: str, there: Collection[str]) -> set[str]:
    return {name for name, entry in view.inventories.items() if name not in there and _had(entry, path)}


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


def _blocks(disk: Disk, path: str) -> tuple[str, Collection[str]]:
    """Give the signature of a file and whose blocks are in it; nothing where it cannot be read."""
    try:
        facts = disk.facts(path)
        there = facts is not None and facts.kind == "file"
        return (facts.signature, disk.parted(path, facts).blocks) if facts is not None and there else ("", ())
    except FileFailed:
        return "", ()
