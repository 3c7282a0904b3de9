"""A target that moves to another directory: all of its sites in one pass, or none; a suspended one tells what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.changes import Reason
from reconciler.model.names import Part
from reconciler.model.observed import FileChange, FileFact, InstalledFile, Inventory, ObservedSite, OnTarget
from reconciler.model.ports import Limits, Scope
from tests.plan.world import COPY, NOW, PLAIN, WEB, Small, declared, one_plan, revision, site

ONE = Scope(sites=frozenset({"one"}))
MOVED = replace(WEB, config_directory="/b.d")


def _moving(*targets: object) -> Small:
    """A site that is installed and has other files to install, while `two` is left out and left behind."""
    small = Small(declared(site("one", targets=targets)))
    small.apply(small.plan())
    small.tree = declared(site("one", "new.example.com", targets=targets), names=("two",))
    small.behind = ("two",)
    return small


@pytest.mark.parametrize("target", [WEB, COPY])
def test_a_part_of_a_target_does_not_move_alone(target: object) -> None:
    small = _moving(target)
    plan = small.plan(scope=ONE)
    assert small.verbs(plan) == ["issue one"]
    [hold] = plan.holds
    assert (hold.reason, hold.site, hold.until, hold.failed) == (Reason.HANDOVER_PENDING, "one", None, True)
    assert "as a whole, and this pass leaves out two" in hold.message
    assert "certwright apply" in (hold.ends_when or "")
    small.behind = ()
    assert small.verbs(small.plan())[-1] == f"reload {hold.target}"


def test_the_watch_loop_comes_back_to_it_by_itself() -> None:
    small = _moving(PLAIN)
    plan = small.plan(Limits(batching=True), ONE)
    [hold] = plan.holds
    assert (hold.until, hold.failed) == (small.now + timedelta(seconds=5), False)
    assert plan.due["one"] == hold.until


@pytest.mark.parametrize(
    ("path", "told"),
    [("/a.d/two.conf", "; /a.d/two.conf stays there and not in /b.d, so let the server include it"), ("/b.d/x", "")],
)
def test_a_suspended_site_that_stays_behind_names_its_files(path: str, told: str) -> None:
    desired = site("two", targets=(MOVED,), suspend=True)
    had = Inventory("two", (InstalledFile(path, Part.CONFIG, "d", 0o644, 0, 0, ""),))
    on = OnTarget("web", (FileFact("/b.d/two.conf", Part.CONFIG, FileChange.CREATE),), inventory=had)
    [hold] = one_plan(desired, ObservedSite("two", revision(desired), on={"web": on}), NOW).holds
    assert (hold.reason, hold.failed) == (Reason.SUSPENDED, bool(told))
    assert hold.message.startswith("suspended: changes are wanted and not made")
    assert ("stays there" in hold.message) is bool(told)
    assert told in hold.message
