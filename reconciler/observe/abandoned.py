"""Sites that the store knows and no manifest declares."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.model.observed import Abandoned, NoRevision, Revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.observed import Inventory
    from reconciler.model.ports import Reader
    from reconciler.observe.view import TargetView

PRUNE: Final = "certwright/prune"


def abandoned_sites(reader: Reader, gone: Iterable[str], views: Mapping[str, TargetView]) -> tuple[Abandoned, ...]:
    """Give each with what it has installed where; a file that a site of this pass wants no longer counts as its own."""
    names = sorted(gone)
    if not names:
        return ()
    live, meanings, damage = reader.live(names), reader.meaning(names), reader.damage(names)
    memory = reader.memory(names)
    return tuple(
        Abandoned(
            name=name,
            live=None if isinstance(found := live.get(name, NoRevision()), NoRevision) else found.id,
            installed={view.name: entry for view in views.values() if (entry := _own(view, name)) is not None},
            damage=damage.get(name, "") or next(filter(None, (view.lost(name) for view in views.values())), ""),
            heir=reader.heir(name),
            certificate=usable if isinstance(usable := live.get(name), Revision) else None,
            prune_disabled=name in meanings and meanings[name].annotations.get(PRUNE) == "disabled",
            failures=memory[name].failures,
        )
        for name in names
    )


def _own(view: TargetView, site: str) -> Inventory | None:
    entry = view.inventory_of(site)
    if entry is None:
        return None
    return replace(entry, files=tuple(file for file in entry.files if view.taken(site, file.path) is None))
