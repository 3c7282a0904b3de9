"""The files that the observation of a site rests on: the memo of quiet sites watches their signatures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.observed import FileChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import ObservedSite, ObservedTarget, OnTarget
    from reconciler.model.ports import Reader


_MOST_LINKS: Final = 40


@dataclass(frozen=True, slots=True)
class Traces:
    """Absolute paths: the site's own, and those that it shares with others of its targets."""

    own: tuple[str, ...]
    shared: tuple[str, ...]


def traces_of(
    reader: Reader, desired: DesiredSite, site: ObservedSite, targets: Mapping[str, ObservedTarget]
) -> Traces:
    """Give the store's own paths, those wanted or ours in targets, and those of what the site brings.

    Beside a path that cannot be used stands its directory, which may be what gets mended.
    """
    own = (*reader.paths_of(site.name), *(path for on in site.on.values() for path in _of(on)))
    used = [found.shared for name in site.on if (found := targets.get(name)) is not None and found.shared is not None]
    shared = [path for on in used for path in _of(on)]
    if desired.brought is not None:  # one wildcard certificate may be brought by many sites
        shared += [step for path in desired.brought.files for step in _steps(path)]
    return Traces(tuple(dict.fromkeys(own)), tuple(dict.fromkeys(shared)))


def _steps(path: str) -> Iterable[str]:
    """Give a path, and what it leads to where it is a link: a link is the same when the file behind it is not."""
    for _ in range(_MOST_LINKS):
        yield path
        try:
            path = os.path.join(os.path.dirname(path), os.readlink(path))  # noqa: PTH115, PTH118, PTH120  text in, text out
        except OSError:
            return


def _of(on: OnTarget) -> Iterable[str]:
    for fact in on.files:
        yield fact.path
        if fact.change is FileChange.REFUSED:
            yield os.path.dirname(fact.path) or "/"  # noqa: PTH120  text in, text out
    yield from on.built
    if on.inventory is not None:
        yield from (file.path for file in on.inventory.files)
