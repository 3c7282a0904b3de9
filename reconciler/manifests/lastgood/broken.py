"""Which objects of a tree are broken: by name, by kind alone, or not known at all. None of them is an absent one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.manifests.kinds.fields import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.validate import Invalid
    from reconciler.manifests.reading import FileReading


@dataclass(slots=True)
class Broken:
    """Each with its first problem: objects by kind and name; kinds of objects without a name that can be read.

    `unknown` is the problem of something that may be of any kind: a file that cannot be read, a text that is no YAML.
    """

    named: dict[tuple[str, str], str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    unknown: str | None = None

    @classmethod
    def of(
        cls, readings: Iterable[FileReading], hidden: Iterable[Problem], twice: Mapping[tuple[str, str], str]
    ) -> Broken:
        """Gather what is wrong in files, what the tree hides (`hidden`), and what is declared `twice`."""
        found = cls(named=dict(twice), unknown=_first(hidden))
        for one in readings:
            for invalid in one.invalid:
                found._add(invalid)
            if one.problems and not one.invalid:
                found.unknown = found.unknown or _first(one.problems)
        return found

    def _add(self, one: Invalid) -> None:
        text = _first(one.problems) or "it is not valid"
        if one.kind is None:
            self.unknown = self.unknown or text
        elif one.name is None or not is_name(one.name):  # no object has such a name: it hides what it was called
            self.kinds.setdefault(one.kind, text)
        else:
            self.named.setdefault((one.kind, one.name), text)

    def names(self, kind: str) -> dict[str, str]:
        """Give the names of broken objects of a kind, each with its problem."""
        return {name: text for (of, name), text in self.named.items() if of == kind}

    def nameless(self) -> list[str]:
        """Give the first problem of each kind of object that cannot be named, and of what may be of any kind."""
        return [text for text in (*self.kinds.values(), self.unknown) if text is not None]

    def may_be(self, kind: str) -> str | None:
        """Tell why an object of this kind may be meant that has another name now; None if none is broken."""
        return self.hides(kind) or next(iter(self.names(kind).values()), None)

    def hides(self, kind: str) -> str | None:
        """Tell why there may be an object of this kind of which not even the name is known; None if there is none."""
        return self.kinds.get(kind) or self.unknown


def _first(problems: Iterable[Problem]) -> str | None:
    return next((str(problem) for problem in problems), None)
