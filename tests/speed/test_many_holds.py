"""A CA's limit may hold every site: what is told of one of them must not cost what all of them cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.describing import view
from reconciler.engine import Report
from reconciler.model.changes import Hold, Plan, Reason
from reconciler.model.observed import ObservedSite, World
from reconciler.model.ports import Scope
from tests.plan.world import LE, NOW, WEB, declared, revision, site

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counted(tuple[Hold, ...]):
    """Holds that count how often somebody goes through all of them."""

    __slots__ = ()
    times = 0

    def __iter__(self) -> Iterator[Hold]:
        Counted.times += 1
        return super().__iter__()


def test_holds_are_gone_through_once_for_all_sites() -> None:
    sites = [site(f"s{number}", issuers=(LE,), targets=(WEB,)) for number in range(50)]
    seen = {one.name: ObservedSite(one.name, revision(one)) for one in sites}
    holds = Counted(Hold(Reason.RATE_LIMITED, "asked too often", site=one.name) for one in sites)
    report = Report(declared(*sites), World(seen), Plan(holds=holds), NOW, Scope())
    told = {one.name: view(one.name, report, None) for one in sites}
    assert all("asked too often" in str(item["status"]) for item in told.values())
    assert Counted.times == 1
