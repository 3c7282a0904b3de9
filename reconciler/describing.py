"""What readers show of one site after a pass: `get sites -o json`, with the instant of its renewal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.observed import Revision
from reconciler.plan.issuing import renewal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.engine import Report


def view(name: str, report: Report, former: Mapping[str, object] | None) -> Mapping[str, object]:
    """Describe a site the way `get sites -o json` does; a bug that one site brings out is told of that site alone."""
    from reconciler.report.site_json import bug_item

    try:
        return _described(name, report, former)
    except Exception as bug:  # noqa: BLE001  the border of one site
        return bug_item(report.declared.sites[name], bug, report.now, former)


def _described(name: str, report: Report, former: Mapping[str, object] | None) -> Mapping[str, object]:
    from reconciler.report.site_json import site_item

    desired, observed = report.declared.sites[name], report.world.sites[name]
    choice = None
    if isinstance(observed.live, Revision) and not observed.live.meta.placeholder:
        choice = renewal.choose_renewal(name, observed.live, desired.renewal, observed.memory.renewal)
    held = report.holds_by_site.get(name, ())
    return site_item(desired, observed, report.now, held, former, choice, broken=report.broken_targets)
