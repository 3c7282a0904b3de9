"""A file that the sites of a target share, and another target with the same directory: one of them has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.desired import directory_of
from reconciler.observe.installed import Holder

if TYPE_CHECKING:
    from reconciler.observe.view import TargetView


def sharer(view: TargetView, path: str) -> Holder | None:
    """Tell which other target's sites have lines in such a file, so that none of this one's may.

    It is the target's that has lines there, else the one's whose name comes first. All inventories of both are read for
    it, so only where another target of this type has the same directory.
    """
    near = [other for other in view.beside if _is_near(view, other)]
    mine = _having(view, path) is None if near else True
    for other in near:
        having = _having(other, path)
        site = having or _wanting(other, path)
        if site is not None and (having is None, other.name) < (mine, view.name):
            return Holder(site, leaves=False, target=other.name)
    return None


def _is_near(view: TargetView, other: TargetView) -> bool:
    one, two = view.spec, other.spec
    return one is not None and two is not None and one.type == two.type and directory_of(one) == directory_of(two)


def _wanting(view: TargetView, path: str) -> str | None:
    return next((site for site in view.seats if path in view.wants(site)), None)


def _having(view: TargetView, path: str) -> str | None:
    """Give a site that has lines there by inventory and keeps them."""
    for site, entry in view.inventories.items():
        there = any(file.fragment and file.path == path for file in entry.files)
        if there and (view.stays(site) or path in view.wants(site)):
            return site
    return None
