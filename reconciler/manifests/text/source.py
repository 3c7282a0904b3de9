"""Where a document stands, so that a problem found much later still points at its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests.text.rawtext import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str | int, ...]
"""The way to a value inside a document: keys and list positions, `("spec", "hostnames", 0)`."""

Places = tuple["Mapping[Path, tuple[int, int]]", "Mapping[Path, tuple[int, int]]"]


@dataclass(frozen=True, slots=True)
class Source:
    """One document's own text and its place: `line` is the number, from 1, of its first line in `file`.

    Positions are not kept: they are found again by reading the text once more, since few documents ever have a problem.
    """

    file: str
    line: int
    text: str

    def place(self, path: Path = (), *, key: bool = False) -> tuple[int, int]:
        """Give line and column, from 1, of a value, or of its key; of the nearest thing around it if it is absent."""
        return self._nearest(path, self._places(), key=key)

    def problem(self, path: Path, message: str, *, key: bool = False, quote: bool = True) -> Problem:
        """Make a problem that points at a value or its key; `quote=False` where a secret may stand in the line."""
        return self.problems([(path, message, key, quote)])[0]

    def problems(self, found: list[tuple[Path, str, bool, bool]]) -> list[Problem]:
        """Make many problems with one reading; each is path, message, key, quote as for `problem`."""
        places = self._places()
        made = []
        for path, message, key, quote in found:
            line, column = self._nearest(path, places, key=key)
            quoted = excerpt(self.text, line - self.line + 1) if quote else ""
            made.append(Problem(self.file, line, column, message, quoted))
        return made

    def _places(self) -> Places:
        from reconciler.manifests.text.documents import places_in

        return places_in(self)

    def _nearest(self, path: Path, places: Places, *, key: bool) -> tuple[int, int]:
        values, keys = places
        if key and path in keys:
            return keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in values:
                return values[path[:length]]
        return self.line, 1
