from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.addresses import wanted_addresses
from reconciler.model.desired import AddressRecords, Dns01, Machine, ManualDns
from reconciler.model.names import Hostname
from reconciler.model.observed import Undo, World
from reconciler.model.ports import Declared
from reconciler.plan.publishing import LOOK_AFTER, forgotten, plan_publishing
from tests.plan.world import NOW, site

ZONE = Dns01(name="zone", provider=ManualDns())
NAMES = (Hostname("one.example.com"), Hostname("192.0.2.8"))
SITE = replace(
    site(),
    name="one",
    hostnames=NAMES,
    address_records=AddressRecords(ZONE),
    machine=Machine(addresses=("192.0.2.1", "2001:db8::1")),
)
OWN = replace(SITE, machine=Machine())


def thing(address: str, identity: str | None = "ours", site: str = "one") -> Undo:
    return Undo(
        f"{site}{address}", site, "address", "example.com", "one.example.com", identity, value=address, looked=NOW
    )


def declared(site: object = SITE) -> Declared:
    return Declared(names=frozenset({"one"}), sites={"one": site})  # type: ignore[dict-item]


def test_each_name_gets_each_address_and_addresses_get_none() -> None:
    pairs = {("one.example.com", "192.0.2.1"), ("one.example.com", "2001:db8::1")}
    assert set(wanted_addresses(SITE, ("203.0.113.1",))) == pairs
    assert wanted_addresses(OWN, ("203.0.113.1",)) == (("one.example.com", "203.0.113.1"),)


@pytest.mark.parametrize(
    ("things", "verbs"),
    [
        ((), ["publish"]),
        ((thing("192.0.2.1"), thing("2001:db8::1", "theirs")), []),
        ((thing("192.0.2.1"), thing("2001:db8::1", None)), ["publish"]),
        ((thing("192.0.2.1"), thing("2001:db8::1"), thing("192.0.2.9")), ["unpublish"]),
        ((thing("192.0.2.9", None),), ["publish", "unpublish"]),
    ],
)
def test_what_is_missing_and_what_is_too_much(things: tuple[Undo, ...], verbs: list[str]) -> None:
    """What was written down and never confirmed counts as missing, and as ours where it is not wanted."""
    plan = plan_publishing(declared(), World(undo=things), ["one"], (), NOW)
    assert [*(change.verb for change in plan.publish.values()), *(change.verb for change in plan.unpublish)] == verbs


@pytest.mark.parametrize(("age", "refreshes"), [(None, 1), (60, 1), (3000, 1), (59, 0), (0, 0), (-30, 1)], ids=str)
def test_what_was_seen_an_hour_ago_is_looked_at_again(age: int | None, refreshes: int) -> None:
    """A look in the future is a clock that was wrong. What is missing anyway is published, not looked at."""
    looked = NOW - timedelta(minutes=age) if age is not None else None
    things = (replace(thing("192.0.2.1"), looked=looked), thing("2001:db8::1", "theirs"), thing("192.0.2.9"))
    plan = plan_publishing(declared(), World(undo=things), ["one"], (), NOW)
    assert [(change.verb, change.reason) for change in plan.refresh] == [("refresh", "LookAgain")] * refreshes
    assert plan.publish == {}
    if not refreshes and looked is not None:
        assert plan.due == {"one": looked + LOOK_AFTER}
    gone = (replace(things[0], identity=None), things[1])
    plan = plan_publishing(declared(), World(undo=gone), ["one"], (), NOW)
    assert (list(plan.publish), plan.refresh) == (["one"], ())


def test_a_moment_without_addresses_takes_nothing_away() -> None:
    world = World(undo=(thing("203.0.113.1"),))
    assert plan_publishing(declared(OWN), world, ["one"], (), NOW).unpublish == ()
    moved = replace(world, addresses=("203.0.113.2",))
    plan = plan_publishing(declared(OWN), moved, ["one"], (), NOW)
    assert list(plan.publish) == ["one"]
    assert len(plan.unpublish) == 1


def test_a_copied_store_publishes_and_withdraws_nothing() -> None:
    """A clone would add its own address to the records of the machine that serves, or take that one's away."""
    world = World(undo=(thing("192.0.2.9"), thing("192.0.2.9", site="old")), moved=True)
    plan = plan_publishing(declared(), world, ["one"], ("old",), NOW)
    assert (dict(plan.publish), plan.unpublish, plan.refresh) == ({}, (), ())
    assert [(hold.site, hold.reason, hold.failed) for hold in plan.holds] == [
        ("one", "MovedStore", True),
        ("old", "MovedStore", True),
    ]
    settled = World(undo=(thing("192.0.2.1"), thing("2001:db8::1")), moved=True)
    assert plan_publishing(declared(), settled, ["one"], (), NOW).holds == (), "nothing is wanted, so nothing is held"


def test_a_suspended_site_and_one_that_is_gone() -> None:
    world = World(undo=(thing("192.0.2.9"), thing("192.0.2.9", site="old")))
    still = plan_publishing(declared(replace(SITE, suspend=True)), world, ["one"], ("old",), NOW)
    assert still.publish == {}
    assert [(change.verb, change.site, change.reason) for change in still.unpublish] == [
        ("unpublish", "old", "NotDeclared")
    ]
    assert forgotten(declared(), world) == ["old"]
    assert forgotten(replace(declared(), complete=False), world) == []
