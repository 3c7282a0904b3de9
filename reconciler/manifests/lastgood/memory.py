"""What the manifests meant when they were last good: as they were last read or, without the cache, last acted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from reconciler.manifests.shelf import Moved, meant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reconciler.manifests.shelf import Shelf
    from reconciler.model.desired import DesiredSite


@dataclass(slots=True)
class LastGood:
    """Last good meanings of sites by name; none at all without a shelf.

    `acted_on` gives those that the store has of some names; of all, if none is named.
    """

    shelf: Shelf | None = None
    acted_on: Callable[[Iterable[str]], Mapping[str, DesiredSite]] = lambda _names: {}
    _all: Mapping[str, DesiredSite] | None = None

    def all(self) -> Mapping[str, DesiredSite]:
        """Give every one, read once."""
        if self._all is None:
            self._all = {} if self.shelf is None else self._read(None) or self.acted_on(())
        return self._all

    def of(self, names: Iterable[str]) -> Mapping[str, DesiredSite]:
        """Give those of some sites."""
        wanted = list(names)
        if self.shelf is None or not wanted:
            return {}
        found = self._read(wanted)
        absent = [name for name in wanted if name not in found]
        return {**(self.acted_on(absent) if absent else {}), **found}

    def below(self, paths: Collection[str]) -> Mapping[str, DesiredSite]:
        """Give those that stood in one of these files, or below one of these directories."""
        known = self.all() if paths else {}
        return {name: site for name, site in known.items() if is_below(site.place.file, paths)}

    def servers(self) -> set[str]:
        """Give the names of the Servers that these sites were on, `""` for none."""
        return {site.server for site in self.all().values()}

    def _read(self, names: Collection[str] | None) -> dict[str, DesiredSite]:
        if self.shelf is None:
            return {}
        try:
            return {name: meant(row) for name, row in self.shelf.rows("site", names).items()}
        except Moved:
            return {}


def is_below(file: str, paths: Collection[str]) -> bool:
    """Tell whether a file is one of the paths or stands below one of them."""
    return any(path in paths for path in and_above(file))


def and_above(file: str) -> Iterator[str]:
    """Give a path, and each directory that it stands below."""
    yield file
    yield from map(str, PurePath(file).parents)
