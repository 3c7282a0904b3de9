"""Time of its own drives the same loop as threads do: what 400 days bring."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.views import sites
from reconciler.manifests.tree import ManifestTree
from reconciler.model.changes import Reason, Verb
from tests.loop.street import Simulation, Street, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.changes import Plan


def issuer(name: str, lifetime: str) -> str:
    spec = f"{{type: ca, lifetime: {lifetime}}}"
    return f"apiVersion: certwright/v1\nkind: Issuer\nmetadata: {{name: {name}}}\nspec: {spec}\n"


@pytest.fixture(name="street")
def _street(tmp_path: Path) -> Street:
    return Street(tmp_path)


@pytest.fixture(name="simulation")
def _simulation(street: Street) -> Iterator[Simulation]:
    made = Simulation(street)
    yield made
    made.close()


def test_400_days_renew_each_certificate_in_time_and_never_in_a_loop(street: Street, simulation: Simulation) -> None:
    lifetimes = {"ten": 10, "thirty": 30, "ninety": 90}
    for name, days in lifetimes.items():
        street.write(f"issuer-{name}", issuer(name, f"{days}d"))
        street.write(f"site-{name}", site(name, issuer=name))
    simulation.start()
    for _ in range(400):
        simulation.sleep(timedelta(days=1))
        now = simulation.clock.now()
        live = simulation.live()
        assert live.keys() == lifetimes.keys()
        assert all(revision.facts.not_after > now for revision in live.values())
    counts = Counter(name for _, name in simulation.done(Verb.ISSUE))
    for name, days in lifetimes.items():
        # a renewal is wanted at two thirds of the lifetime, and never over a twentieth of it earlier
        assert 400 / (days * 0.67) <= counts[name] <= 400 / (days * (0.667 - 0.05)) + 2
        assert street.installed(name).read_bytes()


def test_a_site_is_looked_at_at_its_time_and_not_before(street: Street, simulation: Simulation) -> None:
    street.write("site", site("one"))
    simulation.start()
    due = simulation.loop.idle_until()
    assert due is not None
    assert simulation.loop.next_due().endswith(" (all sites)"), "a day's look comes first, and is named"
    seen = len(simulation.outcomes)
    simulation.sleep(timedelta(days=50))
    assert len(simulation.outcomes) == seen
    simulation.sleep(timedelta(days=12))
    assert [name for _, name in simulation.done(Verb.ISSUE)] == ["one", "one"]


def test_a_drift_fight_is_repaired_three_times_and_then_hourly(street: Street, simulation: Simulation) -> None:
    street.write("site", site("one"))
    street.write("other", site("two"))
    simulation.start()
    repairs = []
    for _ in range(60):
        street.installed("one").write_text("mine")
        simulation.settle()
        simulation.sleep(timedelta(minutes=3))
        repairs = [at for at, name in simulation.done(Verb.INSTALL) if name == "one"][1:]
    hours = 60 * 3 / 60
    assert 3 <= len(repairs) <= 3 + hours + 1
    assert repairs[3] - repairs[2] >= timedelta(minutes=59)
    # who fights over one site's file does not hold up the other's
    street.write("other", site("two", hostnames="two.example.com, www.two.example.com"))
    simulation.settle()
    assert "www.two.example.com" in simulation.live()["two"].facts.hostnames


def test_drift_is_repaired_soon_after_an_edit_that_took_long_to_read(
    street: Street, simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.write("one", site("one"))
    street.write("two", site("two"))
    simulation.start()
    whole = ManifestTree._read

    def slowly(tree: ManifestTree, *given: Any, **options: Any) -> None:  # noqa: ANN401  as the one that it stands for
        simulation.clock.passed += 3.0  # ten thousand sites
        whole(tree, *given, **options)

    monkeypatch.setattr(ManifestTree, "_read", slowly)
    for text in ("kind: [", site("two", hostnames="two.example.com, www.two.example.com")):
        street.write("two", text)
        simulation.settle()
        street.installed("one").unlink()
        before = simulation.clock.passed
        while not street.installed("one").exists():
            simulation.clock.passed += max(min(simulation.loop.step(), 1.0), 0.01)
            assert simulation.clock.passed - before < 10.0
    assert "www.two.example.com" in simulation.live()["two"].facts.hostnames


def test_a_jump_of_the_clock_makes_every_time_be_looked_at_afresh(
    street: Street, simulation: Simulation, caplog: pytest.LogCaptureFixture
) -> None:
    street.write("site", site("one"))
    simulation.start()
    simulation.clock.skew = timedelta(days=70).total_seconds()
    with caplog.at_level("WARNING", "certwright"):
        simulation.settle()
    assert "ClockJumped" in caplog.text
    reasons = [one.change.reason for _, one in simulation.outcomes if one.change.verb is Verb.ISSUE]
    assert reasons == [Reason.MISSING, Reason.RENEWAL_DUE]


@pytest.mark.parametrize("is_set", [True, False])
def test_a_clock_that_went_back_makes_quiet_sites_not_ready_until_it_is_right(
    street: Street, simulation: Simulation, *, is_set: bool
) -> None:
    """Until somebody sets it, or until it is as late as that by itself."""
    street.write("site", site("one"))
    simulation.start()
    assert ready(simulation) == {"one": "Installed"}
    back = timedelta(hours=3)
    simulation.clock.skew = -back.total_seconds()
    assert ready(simulation, simulation.clock.now()) == {"one": "NotYetValid"}, "before any pass"
    simulation.settle()
    assert ready(simulation) == {"one": "NotYetValid"}
    if is_set:
        simulation.clock.skew = 0.0
    else:
        simulation.sleep(back)
    simulation.settle()
    assert ready(simulation) == {"one": "Installed"}
    assert len(simulation.done(Verb.ISSUE)) == 1, "nothing was issued for it"


def test_a_delayed_reload_wakes_the_loop_at_its_time(tmp_path: Path) -> None:
    street = Street(tmp_path, reload=', reload: {command: ["true"], delay: 10m}')
    simulation = Simulation(street)
    street.write("one", site("one"))
    simulation.start()
    street.write("two", site("two"))
    simulation.settle()
    assert not street.installed("two").exists()
    simulation.sleep(timedelta(minutes=5))
    street.write("three", site("three"))
    simulation.settle()
    assert not street.installed("three").exists()
    simulation.sleep(timedelta(minutes=6))
    assert street.installed("two").exists()
    assert street.installed("three").exists()
    reloads = [at for at, _ in simulation.done(Verb.RELOAD)]
    assert len(reloads) == 2
    assert reloads[1] - reloads[0] >= timedelta(minutes=10)
    simulation.close()


def test_a_site_that_is_removed_goes_but_not_the_last_one(street: Street, simulation: Simulation) -> None:
    for name in ("one", "two", "three", "four"):
        street.write(name, site(name))
    simulation.start()
    street.remove("four")
    simulation.settle()
    assert not street.installed("four").exists()
    assert simulation.live().keys() == {"one", "two", "three"}
    for name in ("one", "two", "three"):
        street.remove(name)
    simulation.settle()
    assert all(street.installed(name).exists() for name in ("one", "two", "three"))


def test_a_removal_that_fails_is_tried_ever_more_seldom_and_not_looked_at_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken"
    street = Street(tmp_path, reload=f', reload: {{command: [test, "!", -e, {broken}], delay: 1s}}')
    simulation = Simulation(street)
    for name in ("one", "two", "three", "four"):
        street.write(name, site(name))
    simulation.start()
    broken.touch()
    street.remove("four")
    caplog.clear()
    caplog.set_level("INFO")
    simulation.settle()
    simulation.sleep(timedelta(minutes=10))
    assert sum("looked at" in record.getMessage() for record in caplog.records) < 40
    broken.unlink()
    simulation.sleep(timedelta(minutes=10))
    assert simulation.live().keys() == {"one", "two", "three"}
    simulation.close()


def test_a_tree_that_the_state_does_not_follow_removes_nothing(street: Street) -> None:
    simulation = Simulation(street, full=False)
    for name in ("one", "two", "three", "four"):
        street.write(name, site(name))
    simulation.start()
    street.remove("four")
    simulation.settle()
    assert street.installed("four").exists()
    simulation.close()


def test_a_tree_that_vanishes_keeps_its_meaning_and_renewals_go_on(street: Street, simulation: Simulation) -> None:
    street.write("site", site("one"))
    simulation.start()
    tree = street.home / "manifests"
    tree.rename(street.home / "unmounted")
    simulation.sleep(timedelta(days=65))
    assert [name for _, name in simulation.done(Verb.ISSUE)] == ["one", "one"]
    (street.home / "unmounted").rename(tree)
    simulation.settle()
    assert street.installed("one").exists()


@pytest.mark.parametrize(
    "broken", ["kind: [", "apiVersion: certwright/v1\nkind: Target\nmetadata: {name: panel}\n", ""]
)
def test_a_broken_target_takes_no_site_out_of_it(street: Street, simulation: Simulation, broken: str) -> None:
    names = ("one", "two", "three", "four")
    for name in names:
        street.write(name, site(name))
    simulation.start()
    good = (street.home / "manifests" / "01-panel.yaml").read_text()
    before = {name: street.installed(name).read_bytes() for name in names}
    street.write("01-panel", broken)
    simulation.settle()
    street.installed("one").unlink()
    simulation.settle()
    assert {name: street.installed(name).read_bytes() for name in names} == before
    held = {hold.site for hold in simulation.app.tree.declared(names).held}
    assert held - {None} == set(names)  # and the tree itself, where nobody can tell whose part is broken
    street.write("01-panel", good)
    simulation.settle()
    assert not simulation.app.tree.declared(names).held
    assert {name: street.installed(name).read_bytes() for name in names} == before
    assert len(simulation.done(Verb.ISSUE)) == 4


def test_a_bug_that_is_told_of_during_the_stop_is_not_lost(street: Street, simulation: Simulation) -> None:
    def breaks(_plan: Plan) -> None:
        raise ZeroDivisionError

    simulation.slow = breaks
    street.write("site", site("one"))
    simulation.loop.start()
    while simulation.loop.idle_until() == 0.0:  # its plan is handed on in this step, its end is not yet heard of
        simulation.loop.step()
    assert isinstance(simulation.loop.drain(), ZeroDivisionError)
    assert simulation.loop.drain() is None


def test_a_newcomer_that_takes_a_hostname_is_told_and_its_owner_goes_on(street: Street, simulation: Simulation) -> None:
    street.write("m", site("m", hostnames="shop.example.com"))
    simulation.start()
    before = street.installed("m").read_bytes()
    for _ in range(2):
        street.write("a", site("a", hostnames="shop.example.com"))
        simulation.sleep(timedelta(minutes=10))
        assert [(hold["site"], hold["reason"]) for hold in holds(simulation)] == [("a", "HostnameTaken")]
        assert (street.installed("m").read_bytes(), street.installed("a").exists()) == (before, False)
        street.remove("a")
        simulation.sleep(timedelta(minutes=10))
        assert holds(simulation) == []


def ready(simulation: Simulation, now: datetime | None = None) -> dict[str, str]:
    """Give the reason of each site's condition Ready, as the last pass saw it, or as readers tell it now."""
    items = sites(simulation.street.state, now or datetime.now(UTC))
    return {item["metadata"]["name"]: item["status"]["conditions"][0]["reason"] for item in items}


def holds(simulation: Simulation) -> list[dict[str, str]]:
    """Give the kept holds that no declared site bears."""
    found: list[dict[str, str]] = json.loads(simulation.app.cache.rows("view/holds")[""][1])
    return found
