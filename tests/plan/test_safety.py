# ruff: noqa: ANN401  builders pass any field on
"""Guards, removals, accounts, files that are not ours, clean-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.changes import Hold, Reason, Verb
from reconciler.model.names import Part, Switch
from reconciler.model.observed import (
    Abandoned,
    Failures,
    FileChange,
    FileFact,
    Inventory,
    LastFailure,
    Memory,
    NoRevision,
    ObservedSite,
    ObservedTarget,
    OnTarget,
    OrderRecord,
    PortSeen,
    TargetRecord,
    Undo,
    World,
)
from reconciler.model.plain import digest
from reconciler.model.ports import Limits, Scope
from reconciler.model.targets import StartTls
from reconciler.plan.assemble import make_plan
from tests.plan.world import COPY, FULL, LE, NOW, WEB, Small, declared, one_plan, revision, short, site


def _sites(count: int, *extra: str) -> tuple[Any, ...]:
    return tuple(site(f"s{n:02}", f"s{n:02}.example.com", *extra, targets=(COPY,)) for n in range(count))


@pytest.mark.parametrize(
    ("before", "gone", "allowed", "removed"),
    [(10, 3, None, 3), (10, 4, None, 0), (10, 4, 3, 0), (10, 4, 4, 4), (2, 1, None, 0), (1, 1, None, 0), (1, 1, 1, 1)],
)
def test_removal_guard(before: int, gone: int, allowed: int | None, removed: int) -> None:
    small = Small(declared(*_sites(before)))
    small.apply(small.plan())
    small.tree = replace(declared(*_sites(before)[gone:]), targets=small.tree.targets)
    plan = small.plan(Limits(removals=allowed))
    assert sum(change.verb is Verb.ARCHIVE for change in plan.changes) == removed
    held = [hold for hold in plan.holds if hold.reason is Reason.TOO_MANY_REMOVALS]
    assert len(held) == (removed == 0)
    if held:
        assert f"certwright apply --allow-removals {gone}" in (held[0].ends_when or "")
    small.apply(plan)
    if removed:
        assert small.plan(Limits(removals=allowed)).changes == ()


def test_removal_is_uninstall_reload_archive_and_only_in_a_full_pass() -> None:
    small = Small(declared(*_sites(5)))
    small.apply(small.plan())
    small.tree = replace(declared(*_sites(5)[1:]), targets=small.tree.targets)
    assert small.plan(scope=Scope()).changes == ()
    plan = small.plan()
    assert [short(change) for change in plan.changes] == ["uninstall s00 copy", "reload copy", "archive s00"]
    assert set(plan.changes[2].after) == {plan.changes[0].id, plan.changes[1].id}


def test_removal_waits_for_a_complete_tree_and_respects_prune_disabled() -> None:
    small = Small(declared(*_sites(5)))
    small.apply(small.plan())
    small.tree = replace(declared(*_sites(5)[1:]), complete=False)
    assert [hold.reason for hold in small.plan().holds] == [Reason.INVALID_MANIFEST]
    world = small.world()
    kept = tuple(replace(one, prune_disabled=True) for one in world.abandoned)
    tree = replace(small.tree, complete=True)
    plan = make_plan(tree, replace(world, abandoned=kept), now=NOW, limits=Limits(), scope=FULL)
    assert [hold.reason for hold in plan.holds] == [Reason.PRUNE_DISABLED]
    assert plan.changes == ()


@pytest.mark.parametrize(("total", "changed", "held"), [(10, 4, True), (10, 3, False), (9, 9, False)])
def test_reissue_guard(total: int, changed: int, held: bool) -> None:  # noqa: FBT001
    small = Small(declared(*_sites(total)))
    small.apply(small.plan())
    small.tree = declared(*_sites(total)[changed:], *_sites(changed, "more.example.com"))
    plan = small.plan()
    assert any(change.verb is Verb.ISSUE for change in plan.changes) is not held
    assert [hold.reason for hold in plan.holds] == [Reason.TOO_MANY_REISSUES] * held
    allowed = small.plan(Limits(reissues=changed))
    assert sum(change.verb is Verb.ISSUE for change in allowed.changes) == changed


def _plan_for(on: OnTarget, **more: Any) -> Any:
    desired = site("a", issuers=(LE,), targets=(WEB,))
    return one_plan(desired, ObservedSite("a", NoRevision(), on={"web": on}, **more))


@pytest.mark.parametrize(
    ("change", "reason"), [(FileChange.FOREIGN, Reason.FOREIGN_FILE), (FileChange.REFUSED, Reason.PATH_REFUSED)]
)
def test_files_that_cannot_be_written_are_held_and_never_covered_by_a_placeholder(
    change: FileChange, reason: Reason
) -> None:
    plan = _plan_for(OnTarget("web", (FileFact("/x", Part.CONFIG, change),)))
    assert [one.verb for one in plan.changes] == [Verb.ISSUE]
    assert [(hold.reason, hold.failed) for hold in plan.holds] == [(reason, True)]


def test_problem_of_a_target_holds_the_site() -> None:
    plan = _plan_for(OnTarget("web", problem=LastFailure(NOW, "PathRefused", "no {site}")))
    assert [(hold.reason, hold.message) for hold in plan.holds] == [(Reason.PATH_REFUSED, "no {site}")]


def test_broken_target_holds_installs_but_not_the_order() -> None:
    desired = site("a", issuers=(LE,), targets=(WEB,))
    failures = Failures(local=2, next_attempt=NOW + timedelta(seconds=10), last=LastFailure(NOW, "TargetBroken", "no"))
    on = OnTarget("web", (FileFact("/x", Part.CONFIG, FileChange.CREATE),))
    targets = {"web": ObservedTarget("web", TargetRecord(WEB, failures=failures))}
    plan = one_plan(desired, ObservedSite("a", on={"web": on}), targets=targets)
    assert [one.verb for one in plan.changes] == [Verb.ISSUE]
    assert [(hold.reason, hold.target) for hold in plan.holds] == [(Reason.TARGET_BROKEN, "web")]


def test_a_target_that_is_declared_otherwise_now_is_tried_at_once() -> None:
    desired = site("a", issuers=(LE,), targets=(WEB,))
    on = OnTarget("web", (FileFact("/x", Part.CONFIG, FileChange.CREATE),))
    for spec, held in ((WEB, True), (replace(WEB, test=("other",)), False)):
        failures = Failures(
            local=2,
            next_attempt=NOW + timedelta(seconds=10),
            last=LastFailure(NOW, "NotLoaded", "no"),
            digest=digest(spec),
        )
        targets = {"web": ObservedTarget("web", TargetRecord(WEB, failures=failures))}
        plan = one_plan(desired, ObservedSite("a", on={"web": on}), targets=targets)
        assert bool(plan.holds) is held


def test_accounts_are_never_made_silently() -> None:
    shy = replace(LE, agree_to_terms=False)
    desired = site("a", issuers=(shy,))
    tree, seen = declared(desired), {"a": ObservedSite("a")}
    terms = make_plan(tree, World(seen), now=NOW, limits=Limits(), scope=FULL)
    assert [hold.reason for hold in terms.holds] == [Reason.TERMS_NOT_AGREED]
    lost = make_plan(tree, World(seen, orphaned_accounts={"le": "u"}), now=NOW, limits=Limits(), scope=FULL)
    assert [hold.reason for hold in lost.holds] == [Reason.ACCOUNT_MISSING]
    assert lost.changes == terms.changes == ()


def test_what_was_left_behind_is_cleaned_up_unless_its_order_goes_on() -> None:
    desired = site("a", issuers=(LE,))
    thing = Undo("u1", "a", "token", "", "tok")
    plan = one_plan(desired, ObservedSite("a", revision(desired)), undo=(thing, replace(thing, id="u2", site="old")))
    assert [short(change) for change in plan.changes] == ["clean-up a", "clean-up old"]
    tried = [replace(thing, until=NOW + timedelta(minutes=minutes)) for minutes in (0, 15, 100_000)]
    kept = [len(one_plan(desired, ObservedSite("a", revision(desired)), undo=(one,)).changes) for one in tried]
    assert kept == [1, 0, 1], "what is tried is his who tries it, for a while"
    order = OrderRecord("le", LE.directory, "default", desired.names, "Missing", "", NOW, url="https://x")
    assert one_plan(desired, ObservedSite("a", revision(desired), order=order), undo=(thing,)).changes == ()


@pytest.mark.parametrize(("scope", "complete"), [(Scope(), True), (FULL, False), (Scope(frozenset({"a"})), True)])
def test_what_another_tree_may_have_left_stands(scope: Scope, complete: bool) -> None:  # noqa: FBT001
    desired = site("a", issuers=(LE,))
    other = World(
        {"a": ObservedSite("a", revision(desired))}, undo=(Undo("u2", "of-another-tree", "token", "", "tok"),)
    )
    tree = replace(declared(desired), complete=complete)
    assert make_plan(tree, other, now=NOW, limits=Limits(), scope=scope).changes == ()


def test_holds_of_the_manifests_are_carried() -> None:
    hold = Hold(Reason.HOSTNAME_TAKEN, "b has it", site="x")
    tree = declared(site("a"), names=("x",), held=(hold,))
    plan = make_plan(tree, World(), now=NOW, limits=Limits(), scope=FULL)
    assert hold in plan.holds


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (FULL, True),
        (Scope(sites=frozenset("a"), full=True), True),
        (Scope(sites=frozenset({"new"})), True),
        (Scope(sites=frozenset("a")), False),
    ],
)
def test_the_hold_of_a_site_without_any_meaning_is_told_where_it_is_asked_for(scope: Scope, told: bool) -> None:  # noqa: FBT001
    hold = Hold(Reason.HOSTNAME_TAKEN, "a has it", site="new")
    plan = make_plan(declared(site("a"), held=(hold,)), World(), now=NOW, limits=Limits(), scope=scope)
    assert (hold in plan.holds) is told


@pytest.mark.parametrize(
    ("ports", "local", "verb"),
    [
        ((("NameServedElsewhere", ("a.example.com",)),), 1, "refresh"),
        ((("NameServedElsewhere", ()),), 1, "reload"),
        ((("NameServedElsewhere", ()),), 4, "refresh"),
        ((("NotIncluded", ()),), 9, "reload"),
        ((("NotIncluded", ()), ("Served", ("a.example.com",))), 1, "refresh"),
        ((("NothingListens", ()), ("Served", ("a.example.com",))), 1, "reload"),
        ((("OldCertificateServed", ()),), 3, "refresh"),
        ((("OldCertificateServed", ()),), 4, "reload"),
        ((("OldCertificateServed", ("a.example.com",)),), 4, "refresh"),
        ((("NameServedElsewhere", ("a.example.com",)),), None, "reload"),
    ],
)
def test_a_server_that_has_loaded_it_is_only_looked_at(
    ports: tuple[tuple[str, tuple[str, ...]], ...], local: int | None, verb: str
) -> None:
    small = Small(declared(site("a", targets=(WEB,))))
    small.apply(small.plan())
    memory = small.memory["a"]
    seen = tuple(PortSeen(443 + number, "fp", reason, names=names) for number, (reason, names) in enumerate(ports))
    bad = {"web": replace(memory.served["web"], ok=False, ports=seen)}
    last = LastFailure(NOW, ports[0][0], "no")
    failures = Failures(local=local or 0, next_attempt=NOW, last=last, digest=small.tree.sites["a"].digest)
    small.memory["a"] = Memory(served=bad, failures={"target/web": failures} if local else {})
    assert [(change.verb, change.reason) for change in small.plan().changes] == [(verb, Reason.NOT_SERVED)]


@pytest.mark.parametrize(
    ("ports", "seen", "mode", "planned"),
    [
        ((443,), {443: ""}, Switch.ENFORCE, ""),
        ((443, 8443), {443: ""}, Switch.ENFORCE, "refresh at port 8443"),
        ((8443,), {443: ""}, Switch.ENFORCE, "refresh at port 8443"),
        ((8443,), {443: ""}, Switch.WARN, ""),
        ((8443,), {443: ""}, Switch.OFF, ""),
        ((443,), {443: "", 8443: ""}, Switch.ENFORCE, ""),
        ((8443, 443), {443: "", 8443: ""}, Switch.ENFORCE, ""),
        ((443,), {443: "", 8443: "NothingListens"}, Switch.ENFORCE, "refresh does not serve"),
        ((443, 9443), {443: "", 8443: "NothingListens"}, Switch.ENFORCE, "refresh at port 9443"),
        ((443, 9443), {443: "NothingListens", 8443: ""}, Switch.ENFORCE, "reload port 443: NothingListens"),
        ((443,), {8443: "NothingListens"}, Switch.ENFORCE, "reload at port 443"),
    ],
)
def test_a_proof_counts_for_the_ports_that_were_asked(
    ports: tuple[int, ...], seen: dict[int, str], mode: Switch, planned: str
) -> None:
    small = Small(declared(site("a", targets=(WEB,))))
    small.apply(small.plan())
    found = tuple(
        PortSeen(port, "fp", reason or "Served", names=() if reason else ("a.example.com",))
        for port, reason in seen.items()
    )
    served = replace(small.memory["a"].served["web"], ports=found, ok=not any(seen.values()))
    last = LastFailure(NOW, "NothingListens", "no")
    failures = {} if served.ok else {"target/web": Failures(local=1, next_attempt=NOW, last=last, digest="former")}
    small.memory["a"] = Memory(served={"web": served}, failures=failures)
    small.tree = declared(site("a", targets=(replace(WEB, verify=replace(WEB.verify, ports=ports, mode=mode)),)))
    verb, _, told = planned.partition(" ")
    changes = small.plan().changes
    assert [change.verb for change in changes] == [verb] * bool(verb)
    assert all(change.reason is Reason.NOT_SERVED and told in change.message for change in changes)


def test_proof_that_failed_is_tried_again_at_its_time_and_holds_no_files() -> None:
    small = Small(declared(site("a", targets=(WEB,))))
    small.apply(small.plan())
    memory = small.memory["a"]
    bad = {"web": replace(memory.served["web"], ok=False)}
    last = LastFailure(NOW, "NotIncluded", "no")
    for at, changes in ((NOW + timedelta(seconds=5), 0), (NOW, 1)):
        digest = small.tree.sites["a"].digest
        failures = {"target/web": Failures(local=1, next_attempt=at, last=last, digest=digest)}
        small.memory["a"] = Memory(served=bad, failures=failures)
        plan = small.plan()
        assert [change.reason for change in plan.changes] == [Reason.NOT_SERVED] * changes
        told = [(hold.reason, hold.target, hold.until, hold.failed) for hold in plan.holds]
        assert told == [(Reason.NOT_INCLUDED, "web", at, True)] * (1 - changes), "the wait is told, never left unsaid"


@pytest.mark.parametrize(
    ("way", "verify", "verbs"),
    [
        ("127.0.0.1", {}, []),
        ("", {"address": "127.0.0.9"}, []),  # a record of before the way was noted
        ("127.0.0.1", {"address": "127.0.0.9"}, ["refresh"]),
        ("127.0.0.1", {"starttls": (StartTls(443, "imap"),)}, ["refresh"]),
        ("127.0.0.1 443=imap", {"starttls": (StartTls(443, "imap"),)}, []),
        ("127.0.0.1 443=imap", {"starttls": (StartTls(443, "smtp"),)}, ["refresh"]),
    ],
)
def test_a_proof_counts_for_the_way_in_which_the_ports_were_asked(
    way: str, verify: dict[str, Any], verbs: list[str]
) -> None:
    small = Small(declared(site("a", targets=(WEB,))))
    small.apply(small.plan())
    served = small.memory["a"].served["web"]
    small.memory["a"] = Memory(served={"web": replace(served, way=way)})
    small.tree = declared(site("a", targets=(replace(WEB, verify=replace(WEB.verify, **verify)),)))
    changes = small.plan().changes
    assert [change.verb for change in changes] == verbs
    assert all("has not been seen serving" in change.message for change in changes)


def test_what_sites_share_stays_where_another_target_keeps_the_last_of_them() -> None:
    """A site leaves all of its targets or none: what it needs in the one stays while the other is held."""
    path = "/etc/nginx/certwright/http-01.conf"
    shared = OnTarget(WEB.name, (FileFact(path, Part.CONFIG, FileChange.REMOVE),), inventory=Inventory(""))
    last = LastFailure(NOW, "NotLoaded", "the reload failed")
    failures = Failures(local=1, next_attempt=NOW + timedelta(hours=1), last=last)
    for broken, verbs in ((failures, []), (Failures(), [Verb.INSTALL, Verb.UNINSTALL, Verb.UNINSTALL])):
        targets = {
            "web": ObservedTarget("web", TargetRecord(WEB), shared),
            "copy": ObservedTarget("copy", TargetRecord(COPY, failures=broken)),
        }
        gone = Abandoned("gone", "1", {"web": Inventory("gone"), "copy": Inventory("gone")})
        world = World(targets=targets, abandoned=(gone,), known=4)
        tree = replace(declared(*_sites(0), names=("one", "two", "three")), targets={"web": WEB, "copy": COPY})
        plan = make_plan(tree, world, now=NOW, limits=Limits(), scope=FULL)
        files = [one.verb for one in plan.changes if one.verb in (Verb.INSTALL, Verb.UNINSTALL)]
        assert sorted(files) == verbs, plan
