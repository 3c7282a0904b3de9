"""Whole plans: their order; that doing one leaves nothing to do; that nothing loops over the years."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.changes import Reason, Verb
from reconciler.model.desired import Renewal
from reconciler.model.observed import Failures, LastFailure, Memory, World
from reconciler.model.ports import Limits, Scope
from reconciler.plan.assemble import make_plan
from tests.plan.world import CA, COPY, DAY, FULL, LE, NOW, PLAIN, WEB, ZERO, Small, declared, revision, short, site

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_first_certificate_of_a_private_ca_is_one_round() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    assert small.verbs(small.plan()) == ["issue a", "install a copy", "reload copy"]


def test_first_acme_certificate_has_a_placeholder_round() -> None:
    small = Small(declared(site("a", issuers=(LE,), targets=(WEB, COPY))))
    plan = small.plan()
    assert [change.verb.value for change in plan.changes] == [
        *("register", "activate", "install", "install", "reload", "reload"),
        *("issue", "install", "reload", "reload"),
    ]
    reasons = {change.verb: change.reason for change in plan.changes}
    assert reasons[Verb.ACTIVATE] is Reason.PLACEHOLDER
    assert reasons[Verb.ISSUE] is Reason.MISSING
    assert len({change.id for change in plan.changes}) == len(plan.changes)
    small.apply(plan)
    assert not small.plan().changes
    assert not small.live["a"].meta.placeholder


def test_target_without_reload_and_test_has_no_reload_change() -> None:
    small = Small(declared(site("a", targets=(PLAIN,))))
    plan = small.plan()
    assert [change.verb for change in plan.changes] == [Verb.ISSUE, Verb.INSTALL]
    small.apply(plan)
    assert not small.plan().changes


def test_one_reload_for_many_sites_after_all_their_installs() -> None:
    small = Small(declared(*(site(f"s{number}", targets=(COPY,)) for number in range(5))))
    plan = small.plan()
    reloads = [change for change in plan.changes if change.verb is Verb.RELOAD]
    installs = {change.id for change in plan.changes if change.verb is Verb.INSTALL}
    assert len(reloads) == 1
    assert installs <= set(reloads[0].after)


def test_issuers_that_share_an_account_register_once() -> None:
    other = replace(LE, name="le2")
    small = Small(declared(site("a", issuers=(LE,)), site("b", issuers=(other,)), site("c", issuers=(ZERO,))))
    plan = small.plan()
    assert [change.subject for change in plan.changes if change.verb is Verb.REGISTER] == ["issuer/le", "issuer/zero"]
    issues = {change.site: change for change in plan.changes if change.verb is Verb.ISSUE}
    assert issues["a"].after == issues["b"].after


def test_changed_hostnames_install_before_the_order_of_an_acme_issuer() -> None:
    small = Small(declared(site("a", issuers=(LE,), targets=(WEB,))))
    small.apply(small.plan())
    small.tree = declared(site("a", "a.example.com", "b.example.com", issuers=(LE,), targets=(WEB,)))
    plan = small.plan()
    assert [change.verb.value for change in plan.changes] == ["install", "reload", "issue", "reload"]
    issue = plan.changes[2]
    assert issue.message == "certificate lacks b.example.com"
    assert issue.added == ("b.example.com",)
    assert plan.changes[1].id in issue.after
    small.apply(plan)
    assert not small.plan().changes


def test_new_certificate_is_the_reason_of_what_follows_it() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    assert [change.reason for change in small.plan().changes] == [
        *(Reason.MISSING, Reason.NOT_INSTALLED, Reason.CERTIFICATE_CHANGED),
    ]
    small.apply(small.plan())
    small.now += 80 * DAY
    assert [change.reason for change in small.plan().changes] == [
        *(Reason.RENEWAL_DUE, Reason.CERTIFICATE_CHANGED, Reason.CERTIFICATE_CHANGED),
    ]


def test_suspended_site_has_a_hold_only_if_something_is_wanted() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    small.apply(small.plan())
    small.tree = declared(site("a", targets=(COPY,), suspend=True))
    assert small.plan().holds == ()
    small.tree = declared(site("a", "x.example.com", targets=(COPY,), suspend=True))
    plan = small.plan()
    assert not plan.changes
    assert [hold.reason for hold in plan.holds] == [Reason.SUSPENDED]


def test_site_that_leaves_a_target_is_uninstalled_and_the_target_reloaded() -> None:
    small = Small(declared(site("a", targets=(COPY, WEB))))
    small.apply(small.plan())
    small.tree = replace(declared(site("a", targets=(WEB,))), targets=small.tree.targets)
    plan = small.plan()
    assert [short(change) for change in plan.changes] == ["uninstall a copy", "reload copy"]
    assert plan.changes[0].reason is Reason.NO_LONGER_WANTED
    small.apply(plan)
    assert not small.plan().changes


def test_watch_loop_waits_out_the_reload_delay() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    small.apply(small.plan())
    small.tree = declared(site("a", targets=(COPY,)), site("b", targets=(COPY,)))
    small.now += timedelta(seconds=30)
    plan = small.plan(Limits(batching=True))
    assert [change.verb for change in plan.changes] == [Verb.ISSUE]
    until = NOW + COPY.reload.delay
    assert [(hold.reason, hold.until) for hold in plan.holds] == [(Reason.RELOAD_DELAYED, until)]
    assert plan.due["b"] == until
    assert Verb.RELOAD in {change.verb for change in small.plan().changes}


def test_a_target_never_reloaded_in_the_future_does_not_delay() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    small.reloaded["copy"] = NOW + DAY
    assert not small.plan(Limits(batching=True)).holds


def test_scope_limits_what_is_planned() -> None:
    small = Small(declared(site("a"), site("b")))
    plan = small.plan(scope=Scope(sites=frozenset({"b"})))
    assert [change.site for change in plan.changes] == ["b"]


def test_interrupted_switch_is_reloaded() -> None:
    small = Small(declared(site("a", targets=(COPY,))))
    small.apply(small.plan())
    world = small.world()
    target = replace(world.targets["copy"], switching=True)
    plan = make_plan(small.tree, replace(world, targets={"copy": target}), now=NOW, limits=Limits(), scope=FULL)
    assert [(change.verb, change.reason) for change in plan.changes] == [(Verb.RELOAD, Reason.INTERRUPTED)]


_V = TypeVar("_V")


def _turned(values: Mapping[str, _V]) -> dict[str, _V]:
    return dict(reversed(list(values.items())))


_TARGETS = st.lists(st.sampled_from([COPY, PLAIN, WEB]), unique_by=lambda target: target.name)
_SITES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from([(CA,), (LE,), (ZERO, CA), (LE, ZERO)]), _TARGETS),
    min_size=1,
    unique_by=lambda row: row[0],
)


@settings(max_examples=60, deadline=None)
@given(rows=_SITES, renamed=st.booleans())
def test_doing_a_plan_leaves_nothing_to_do_and_the_same_again_is_the_same(rows: list, *, renamed: bool) -> None:  # type: ignore[type-arg]
    small = Small(declared(*(site(name, issuers=issuers, targets=targets) for name, issuers, targets in rows)))
    plan = small.plan()
    assert len({change.id for change in plan.changes}) == len(plan.changes)
    assert plan == small.plan()
    small.apply(plan)
    assert small.plan().changes == ()
    if renamed:
        changed = (site(n, f"{n}.example.com", "new.example.com", issuers=i, targets=t) for n, i, t in rows)
        small.tree = declared(*changed)
        small.apply(small.plan(Limits(reissues=100)))
        assert small.plan().changes == ()


@settings(max_examples=40, deadline=None)
@given(rows=_SITES, data=st.data())
def test_order_of_the_input_does_not_matter(rows: list, data: st.DataObject) -> None:  # type: ignore[type-arg]
    small = Small(declared(*(site(name, issuers=issuers, targets=targets) for name, issuers, targets in rows)))
    tree, world = small.tree, small.world()
    mixed = data.draw(st.permutations(sorted(tree.sites)))
    turned = replace(tree, sites={name: tree.sites[name] for name in mixed}, targets=_turned(tree.targets))
    again = World(
        sites={name: world.sites[name] for name in reversed(mixed)},
        targets=_turned(world.targets),
        accounts=_turned(world.accounts),
        known=world.known,
    )
    plans = [make_plan(*pair, now=NOW, limits=Limits(), scope=FULL) for pair in ((tree, world), (turned, again))]
    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("life", "lookahead", "most"),
    [
        (timedelta(hours=160), 10 * DAY, 400 * 24 / 80 * 1.2),
        (timedelta(hours=160), 33, 400 * 24 / 107 * 1.2),
        (90 * DAY, 33, 8),
        (45 * DAY, 90, 400),
        (timedelta(hours=6), 90, 8000),
    ],
)
def test_every_certificate_is_renewed_in_time_for_years_and_none_loops(
    life: timedelta, lookahead: int | timedelta, most: float
) -> None:
    small = Small(declared(site("a", targets=(COPY,), renewal=Renewal(lookahead=lookahead))), life=life)
    end = NOW + (400 * DAY if life > DAY else 20 * DAY)
    passes = 0
    while small.now < end:
        plan = small.plan()
        small.apply(plan)
        assert small.plan().changes == (), "nothing is left after a pass"
        assert small.live["a"].facts.not_after > small.now
        due = small.plan().due["a"]
        assert due > small.now, "asked again later, not at once"
        assert due < small.live["a"].facts.not_after, "renewed before it ends"
        small.now = due
        passes += 1
    assert passes <= most


def test_plan_of_ten_thousand_quiet_sites_is_empty() -> None:
    sites = tuple(site(f"s{number}") for number in range(2000))
    small = Small(declared(*sites))
    small.live = {one.name: revision(one) for one in sites}
    assert small.plan().changes == ()


def test_a_name_that_moves_waits_for_its_new_site_and_both_change_together() -> None:
    old, new = (
        site("old", "a.example.com", "b.example.com", targets=(WEB,)),
        site("new", "b.example.com", targets=(WEB,)),
    )
    small = Small(declared(old))
    small.apply(small.plan())
    assert not small.plan().changes
    small.tree = declared(site("old", "a.example.com", targets=(WEB,)), new)
    plan = small.plan()
    by_subject = {(change.verb, change.site): change for change in plan.changes}
    issue = by_subject[Verb.ISSUE, "new"]
    assert issue.id in by_subject[Verb.ISSUE, "old"].after
    for change in plan.changes:
        if change.site == "old" and change.verb is Verb.INSTALL:
            assert (change.heirs, issue.id in change.after) == (("new",), True)
    # what keeps the new one from its certificate keeps the old one as it is, but not from being renewed near its end
    stalled = Failures(stalled="never", digest=new.digest, last=LastFailure(NOW, "Failed", "no"))
    small.memory["new"] = Memory(failures={"issue": stalled})
    plan = small.plan()
    assert [change.verb for change in plan.changes] == []
    assert {hold.site for hold in plan.holds if hold.reason is Reason.HANDOVER_PENDING} == {"old", "new"}
    small.now = NOW + 70 * DAY
    assert [change.site for change in small.plan().changes if change.verb is Verb.ISSUE] == ["old"]
