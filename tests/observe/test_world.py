"""A pass's world: what it holds for which scope."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.doors import x509
from reconciler.model.desired import Http01, Webroot
from reconciler.model.names import Part
from reconciler.model.observed import AccountRecord, FileChange, NoRevision, TargetRecord, Undo
from reconciler.model.ports import Scope, SiteOnTarget
from tests.observe.ground import NOW

if TYPE_CHECKING:
    from reconciler.model.desired import NginxTarget
    from tests.observe.ground import Ground


def test_an_empty_store_is_an_empty_world(ground: Ground) -> None:
    world = ground.world(ground.site("a"))
    assert (world.known, world.abandoned, world.undo, world.targets) == (0, (), (), {})
    assert world.sites["a"].live == NoRevision()
    assert world.sites["a"].on == {}


def test_a_site_has_its_live_and_its_other_revisions(ground: Ground) -> None:
    first, second = ground.issue("a"), ground.issue("a")
    site = ground.world(ground.site("a")).sites["a"]
    assert site.live.type == "revision"
    assert site.live.id == second
    assert [revision.id for revision in site.others] == [first]


def test_a_scope_leaves_out_what_is_not_asked_for(ground: Ground) -> None:
    sites = ground.site("a"), ground.site("b")
    world = ground.observer.observe(ground.declared(*sites), Scope(sites=frozenset({"b", "none"})))
    assert world.sites.keys() == {"b"}


def test_abandoned_sites_are_told_by_a_full_pass_only(ground: Ground) -> None:
    spec = ground.nginx()
    live = ground.issue("a")
    ground.install(ground.site("a", spec), spec)
    assert ground.world(ground.site("b"), full=False).abandoned == ()
    assert ground.world(ground.site("b"), names=["a"]).abandoned == ()
    (gone,) = ground.world(ground.site("b")).abandoned
    assert (gone.name, gone.live, gone.prune_disabled) == ("a", live, False)
    assert [file.path for file in gone.installed["web"].files] == [f"{ground.installed}/a.conf"]


def test_the_last_meaning_says_whether_pruning_is_disabled(ground: Ground) -> None:
    site = ground.site("a", annotations={"certwright/prune": "disabled"})
    with ground.store.claim("site/a", "test", 5) as lease:
        ground.store.put_meaning(lease, site)
    assert ground.world(ground.site("b")).abandoned[0].prune_disabled


def test_shared_files_go_with_the_last_site(ground: Ground) -> None:
    spec = ground.nginx()
    a, b = ground.site("a", spec), ground.site("b", spec)
    (created,) = ground.world(a, b).targets["web"].shared.files  # type: ignore[union-attr]
    assert created.change is FileChange.CREATE
    ground.install(a, spec)
    ground.install(b, spec)
    shared = ground.world(a, b).targets["web"].shared
    assert shared is not None
    assert [fact.change for fact in shared.files] == [FileChange.NONE]

    (ground.installed / "http-01.conf").write_text("")
    shared = ground.world(a).targets["web"].shared
    assert shared is not None
    assert [fact.change for fact in shared.files] == [FileChange.RESTORE]


def test_shared_files_stay_while_a_quiet_site_may_use_them(ground: Ground) -> None:
    spec = ground.nginx()
    a, b = ground.site("a", spec), ground.site("b", spec)
    ground.install(a, spec)
    ground.install(b, spec)
    left = ground.site("a")
    assert ground.world(names=["a", "b"]).targets["web"].shared is None  # nothing was looked at
    assert ground.world(left, names=["b"]).targets["web"].shared is None  # b is quiet, and there
    assert ground.world(left, full=False).targets["web"].shared is None
    ground.forget("b", "web")
    for world in (
        ground.world(left, names=["b"]),
        ground.world(left, ground.site("b")),
        ground.world(ground.site("b")),
    ):
        shared = world.targets["web"].shared
        assert shared is not None
        assert [fact.change for fact in shared.files] == [FileChange.REMOVE]


def test_who_is_left_behind_by_a_target_that_moves_is_told_by_a_part_of_the_sites_alone(ground: Ground) -> None:
    spec = ground.nginx()
    there = ground.nginx(config_directory=f"{ground.installed}/b.d")
    for name in ("a", "b"):
        ground.install(ground.site(name, spec), spec)

    def behind(moved: NginxTarget, *looked_at: str) -> tuple[str, ...]:
        sites = [ground.site(name, moved) for name in ("a", "b", "new")]
        scope = Scope(sites=frozenset(looked_at)) if looked_at else Scope(full=True)
        return ground.observer.observe(ground.declared(*sites), scope).targets["web"].behind

    assert behind(spec, "a") == ()
    assert behind(there) == ()
    assert behind(there, "a") == ("b",)
    assert behind(there, "new") == ("a", "b")
    assert behind(there, "a", "b") == ()
    with ground.store.claim("target/web", "test", 5) as lease:
        ground.store.put_target(lease, TargetRecord(there))
    assert behind(there, "a") == ("b",), "what could not be installed there has gone back"


def test_a_switch_left_half_way_is_told(ground: Ground) -> None:
    spec = ground.nginx()
    site = ground.site("a", spec)
    ground.install(site, spec)
    assert not ground.world(site).targets["web"].switching
    with ground.store.claim("target/web", "test", 5) as lease:
        ground.store.put_switch(lease, "web", b"{}")
    assert ground.world(site).targets["web"].switching


def test_what_must_be_undone_is_told_whatever_the_scope(ground: Ground) -> None:
    thing = Undo("id", "gone", "token", "", "tokentokentokentokentoken")
    ground.store.put_undo(thing)
    assert ground.world(ground.site("a"), full=False).undo == (thing,)


def test_accounts_by_issuer_and_those_whose_key_is_lost(ground: Ground) -> None:
    ground.acme("first")
    ground.acme("second", "other")
    world = ground.world(ground.site("a"))
    assert (world.accounts, world.orphaned_accounts) == ({"first": None, "second": None}, {})

    ground.issue("a", account="https://ca.example/acct/1", directory="https://ca.example/dir")
    assert ground.world(ground.site("a")).orphaned_accounts == {
        "first": "https://ca.example/acct/1",
        "second": "https://ca.example/acct/1",
    }

    ground.issue("b", account="https://ca.example/acct/2", directory="https://ca.example/dir", account_name="other")
    orphans = ground.world(ground.site("a")).orphaned_accounts
    assert orphans == {"first": "https://ca.example/acct/1", "second": "https://ca.example/acct/2"}
    ground.acme("second", "a fresh one")

    record = AccountRecord("https://ca.example/dir", "default", "https://ca.example/acct/1")
    with ground.store.claim("account/ca.example/default", "test", 5) as lease:
        ground.store.put_account(lease, record, x509.new_key("ecdsa-p256"))
    world = ground.world(ground.site("a"))
    assert (world.accounts["first"], world.accounts["second"]) == (record, None)
    assert world.orphaned_accounts == {}  # the only account that revisions name is ours


def test_observing_writes_nothing(ground: Ground) -> None:
    spec = ground.copies(Part.KEY)
    ground.issue("a")
    site = ground.site("a", spec)
    ground.install(site, spec)

    def everything() -> dict[str, tuple[int, int]]:
        files = [path for path in ground.root.rglob("*") if not path.name.startswith("ledger")]
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in files}

    before = everything()
    ground.world(site, ground.site("new", spec))
    assert everything() == before


def test_the_built_in_webroot_is_seen_by_targets(ground: Ground) -> None:
    builtin = Http01("http", Webroot("/run/certwright/http-01", builtin=True))
    other = Http01("own", Webroot("/var/www"))
    spec = ground.nginx()
    site = ground.site("a", spec)
    for methods, webroot in (({"a": (other,)}, None), ({"a": (other, builtin)}, "/run/certwright/http-01"), ({}, None)):
        seat = SiteOnTarget.of(replace(site, methods=methods), site.targets[0], "/live/a")
        assert seat.http01_webroot == webroot


def test_failing_to_place_one_site_leaves_the_others(ground: Ground) -> None:
    spec = ground.copies(Part.KEY)
    ground.issue("a")
    bad = replace(spec, name="bad", files=(replace(spec.files[0], path="/x/{values.none}"),))
    world = ground.world(ground.site("a", spec), ground.site("b", bad))
    assert world.sites["b"].on["bad"].problem is not None
    assert world.sites["a"].on["copies"].files[0].change is FileChange.CREATE
    assert world.sites["a"].live.type == "revision"
    assert world.sites["a"].live.meta.at == NOW
