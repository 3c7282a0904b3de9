"""Sites as they are: what the store knows of each, and its files in every target that it uses or has something in."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from reconciler.errors import CertwrightError
from reconciler.model.changes import Reason
from reconciler.model.observed import LastFailure, Memory, NoRevision, ObservedSite, OnTarget, Revision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.model.desired import DesiredSite, ImportSpec
    from reconciler.model.observed import Brought, Live
    from reconciler.model.ports import Reader
    from reconciler.observe.disk import Disk
    from reconciler.observe.view import TargetView


def observed_sites(
    reader: Reader,
    sites: Mapping[str, DesiredSite],
    views: Mapping[str, TargetView],
    disk: Disk,
    now: datetime,
    brought: Callable[[ImportSpec], Brought],
) -> dict[str, ObservedSite]:
    """Observe sites by the store's batches; target by target, so that a directory's files are looked at together.

    `brought` reads what a site brings; many sites may bring the same, which is read once.
    """
    names = sorted(sites)
    look = functools.cache(brought)
    live, memory, orders = reader.live(names), reader.memory(names), reader.orders(names)
    damage = reader.damage(names)
    archived = reader.archived([name for name in names if not isinstance(live.get(name), Revision)])
    on: dict[str, dict[str, OnTarget]] = {name: {} for name in names}
    for view in views.values():
        for name in names:
            found = _on_target(view, disk, name, live.get(name, NoRevision()), now)
            if found is not None:
                on[name][view.name] = found
    return {
        name: ObservedSite(
            name=name,
            live=live.get(name, NoRevision()),
            others=_others(reader, name, live.get(name, NoRevision())) + archived.get(name, ()),
            memory=memory.get(name, Memory()),
            order=orders.get(name),
            on=on[name],
            brought=look(spec) if (spec := sites[name].brought) is not None else None,
            damage=damage.get(name, ""),
        )
        for name in names
    }


def _on_target(view: TargetView, disk: Disk, name: str, live: Live, now: datetime) -> OnTarget | None:
    """Look at one site in one target; a bug that it brings out is this site's problem and no other's."""
    try:
        return view.on_target(disk, name, live, now)
    except CertwrightError:
        raise
    except Exception as bug:  # noqa: BLE001  the border of one site
        text = f"{type(bug).__name__} while looking at its files; this is a bug of certwright"
        return OnTarget(view.name, problem=LastFailure(now, Reason.BUG, text))


def _others(reader: Reader, name: str, live: Live) -> tuple[Revision, ...]:
    current = live.id if isinstance(live, Revision) else None
    return tuple(revision for revision in reader.revisions(name) if revision.id != current)
