"""The short way: a few files that hold only Sites changed in a tree that was good. Only they are read and resolved.

Whatever is not that plain case (a shared object changed, something is wrong, a name is taken) gives None: then the
whole tree is read, which says the same and can tell all problems.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.manifests import reading
from reconciler.manifests.lastgood.emptied import emptied
from reconciler.manifests.resolving import conflicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.manifests.shelf import Shelf
    from reconciler.model.desired import DesiredSite

_MOST: Final = 2000


@dataclass(slots=True)
class Edit:
    """What changed: the files read again, the sites they mean now, and the names that are gone or moved.

    `former_sites` are all that these files declared before.
    """

    readings: list[FileReading] = field(default_factory=list)
    gone_files: set[str] = field(default_factory=set)
    former_sites: set[str] = field(default_factory=set)
    sites: dict[str, DesiredSite] = field(default_factory=dict)
    gone_sites: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Incremental:
    """Looks for the short way. Raises Moved where the rows are no longer those that were looked at."""

    settings: Settings
    shelf: Shelf

    def edit(self, files: Mapping[str, str]) -> Edit | None:
        """Compare the walked files (path to signature) with the cache; None if the whole tree must be read."""
        known = self.shelf.signatures("file")
        changed = [path for path, signature in files.items() if known.get(path) != signature]
        gone = known.keys() - files.keys()
        if not known or len(changed) + len(gone) > _MOST:
            return None
        edit = Edit(gone_files=set(gone))
        before = self.shelf.rows("file", [*changed, *gone])
        for _, payload in before.values():
            if not self._only_sites(reading.names_in(payload), edit):
                return None
        edit.gone_sites = set(edit.former_sites)
        edit.readings = [self._reading(path, before) for path in changed]
        return edit if self._resolved(edit) else None

    def _reading(self, path: str, before: Mapping[str, tuple[str, str]]) -> FileReading:
        read = reading.read_file(path)
        return emptied(read, before[path][1]) if path in before and self.settings.lenient else read

    @staticmethod
    def _only_sites(names: Sequence[tuple[str, str]], edit: Edit) -> bool:
        edit.former_sites.update(name for _, name in names)
        return all(kind == "Site" for kind, _ in names)

    def _resolved(self, edit: Edit) -> bool:
        from reconciler.manifests.meaning import Meaning

        resources = [one for file in edit.readings for one in file.resources]
        if any(file.problems for file in edit.readings) or any(one.kind != "Site" for one in resources):
            return False
        names = {one.name for one in resources}
        if len(names) != len(resources) or self._taken(names - edit.gone_sites):
            return False
        meaning = Meaning(self.settings, [*self._shared(), *edit.readings])
        meaning.resolve()
        if meaning.problems or self._rivals(meaning.sites, edit):
            return False
        edit.sites = {name: site for name, site in meaning.sites.items() if name in names}
        edit.gone_sites -= edit.sites.keys()
        return True

    def _taken(self, names: set[str]) -> bool:
        """Tell whether a new name stands already in a file that did not change."""
        return bool(names and self.shelf.rows("where", names))

    def _shared(self) -> list[FileReading]:
        """Give the files that hold other objects than sites, without their sites."""
        paths = list(self.shelf.signatures("shared"))
        return [
            reading.FileReading(path, reading.unpack(payload, reading.SHARED))
            for path, (_, payload) in self.shelf.rows("file", paths).items()
        ]

    def _rivals(self, sites: Mapping[str, DesiredSite], edit: Edit) -> bool:
        keys = {f"{target}\0{hostname}" for site in sites.values() for target, hostname in conflicts.claims(site)}
        owners = {owner for owner, _ in self.shelf.rows("claim", keys).values()} if keys else set()
        return bool(owners - edit.gone_sites - sites.keys())
