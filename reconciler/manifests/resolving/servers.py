"""Which Server of a tree this machine is, and what is said where that cannot be told or the Server is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests.kinds.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.lastgood.broken import Broken
    from reconciler.manifests.settings import Settings

_FLAG = "--server"


@dataclass(frozen=True, slots=True)
class Mine:
    """The Server that this machine is; `name` is None where the tree declares none.

    `lost` says why there is one that cannot be told or used now: then no site gets a new meaning. `problem`: what is
    wrong with the choice itself.
    """

    name: str | None = None
    lost: str | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Servers:
    """The Servers of a tree: the good ones by name, the broken ones, and those of the last good meanings (`former`)."""

    settings: Settings
    good: Mapping[str, Resource]
    broken: Broken
    former: Callable[[], Collection[str]]

    @property
    def names(self) -> list[str]:
        """Give all names, sorted."""
        return sorted({*self.good, *self.broken.names("Server")})

    @property
    def several(self) -> bool:
        """Tell whether each Site must name its own."""
        return len(self.names) > 1

    def mine(self) -> Mine:
        """Find this machine's."""
        if self.settings.server is not None:
            return self._named(self.settings.server)
        here, wrong = self.settings.hostname, self.broken.names("Server")
        if here in wrong:
            return Mine(lost=wrong[here])
        fitting = (name for name, one in self.good.items() if here in (name, getattr(one.spec, "hostname", None)))
        name = next(fitting, None)
        if name is not None:
            return Mine(name)
        text = next(iter(wrong.values()), None) or self.broken.kinds.get("Server")
        return Mine(lost=text) if text else self._only(here)

    def _named(self, wanted: str) -> Mine:
        if wanted in self.good:
            return Mine(wanted)
        text = self.broken.names("Server").get(wanted) or self.broken.hides("Server")
        if text is not None:
            return Mine(lost=text)
        near = nearest(wanted, self.names)
        hint = f"did you mean {near}?" if near else f"the tree has {', '.join(self.names) or 'none'}"
        return _cannot(f"there is no Server `{wanted}`: {hint}")

    def _only(self, here: str) -> Mine:
        if self.several:
            return _cannot(
                f"none of the Servers is this machine ({here}): say which with --server ({', '.join(self.names)})"
            )
        name = next(iter(self.good), None)
        if self.broken.unknown and (former := self.former()) and (name or "") not in former:
            return Mine(lost=self.broken.unknown)
        return Mine(name)


def _cannot(text: str) -> Mine:
    problem = Problem(_FLAG, 0, 0, text)
    return Mine(lost=str(problem), problem=problem)
