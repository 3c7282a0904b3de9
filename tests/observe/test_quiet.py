"""The memo of quiet sites: what makes a site loud again, and that nothing rests on the memo itself."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import x509
from reconciler.model.desired import FileRule
from reconciler.model.names import Part
from reconciler.model.observed import FileChange
from reconciler.model.ports import Scope
from reconciler.observe.quiet import NAMESPACE, Calm, Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Rewrite
    from tests.observe.ground import Ground

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def settled(ground: Ground, *sites: DesiredSite, due: datetime | None = None) -> None:
    """Make one pass that finds nothing to do, some time after the files were written."""
    time.sleep(0.03)
    declared = ground.declared(*sites)
    ground.observer.loud({site.name: site.digest for site in sites}, NOW)
    ground.observer.observe(declared, Scope(full=True))
    ground.observer.settle(declared, {site.name: due for site in sites})


def loud(ground: Ground, *sites: DesiredSite, now: datetime = NOW) -> frozenset[str]:
    """Ask as a new process does."""
    return ground.new_observer().loud({site.name: site.digest for site in sites}, now)


@pytest.fixture(name="site")
def _site(ground: Ground) -> DesiredSite:
    ground.issue("a")
    web, copies = ground.nginx(), ground.copies()
    site = ground.site("a", web, copies)
    ground.install(site, web)
    ground.install(site, copies)
    return site


def test_a_settled_site_is_quiet_and_a_new_one_is_loud(ground: Ground, site: DesiredSite) -> None:
    assert loud(ground, site) == {"a"}
    settled(ground, site)
    assert loud(ground, site) == frozenset()
    assert loud(ground, site, ground.site("b")) == {"b"}


def test_another_meaning_is_loud(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    assert loud(ground, ground.site("a", digest="another")) == {"a"}


def test_a_due_site_is_loud(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site, due=NOW + timedelta(hours=1))
    assert loud(ground, site) == frozenset()
    assert loud(ground, site, now=NOW + timedelta(hours=1)) == {"a"}


def _put_time_back(path: Path) -> None:
    path.write_bytes(b"x")
    os.utime(path, ns=(0, 0))


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "same content": lambda path: path.write_bytes(path.read_bytes()),
    "content and time put back": _put_time_back,
    "mode": lambda path: path.chmod(0o666),
    "owner": lambda path: os.chown(path, 1, 1),
    "removed": Path.unlink,
    "link": _link,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("file", ["a.conf", "a.key", "a.fullchain", "http-01.conf"])
def test_whatever_is_done_to_an_installed_file_is_loud(
    ground: Ground, site: DesiredSite, file: str, change: Callable[[Path], object]
) -> None:
    settled(ground, site)
    change(ground.installed / file)
    assert loud(ground, site) == {"a"}


def test_whatever_the_store_learns_is_loud(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    ground.store.remember("a", lambda memory: replace(memory, renew_requested="now"))
    assert loud(ground, site) == {"a"}
    settled(ground, site)
    ground.issue("a")
    assert loud(ground, site) == {"a"}
    settled(ground, site)
    revision = ground.store.live(["a"])["a"]
    assert revision.type == "revision"
    (ground.root / "state" / "certificates" / "a" / revision.id / "cert.pem").write_text("edited by hand")
    assert loud(ground, site) == {"a"}
    settled(ground, site)
    ground.forget("a", "web")
    assert loud(ground, site) == {"a"}


def looked_at(ground: Ground, site: DesiredSite, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the paths, relative to the state directory, that a quiet look costs."""
    paths: list[str] = []
    lstat = os.lstat

    def told(path: str) -> os.stat_result:
        paths.append(os.path.relpath(path, ground.root / "state"))
        return lstat(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", told)
        assert loud(ground, site) == frozenset()
    return paths


def test_a_directory_that_renames_alone_change_answers_for_its_files(
    ground: Ground, site: DesiredSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(ground, site)
    places = {"live", "status", "orders", "inventory/web/sites", "inventory/copies/sites"}
    files = {"live/a", "status/a.json", "orders/a", "inventory/web/sites/a.json", "inventory/copies/sites/a.json"}
    looked = set(looked_at(ground, site, monkeypatch))
    assert not files & looked
    assert places <= looked
    ground.store.remember("a", lambda memory: replace(memory, renew_requested="now"))
    assert loud(ground, site) == {"a"}
    settled(ground, site)
    assert files <= set(looked_at(ground, site, monkeypatch))
    assert not files & set(looked_at(ground, site, monkeypatch))


@pytest.mark.parametrize("what", ["live/a", "status/a.json", "inventory/web/sites/a.json"])
def test_what_happens_behind_a_directory_that_answered_is_loud(ground: Ground, site: DesiredSite, what: str) -> None:
    ground.store.remember("a", lambda memory: replace(memory, expired_since_attempt=NOW))
    settled(ground, site)
    for _ in range(3):
        assert loud(ground, site) == frozenset()
    (ground.root / "state" / what).unlink()
    assert loud(ground, site) == {"a"}


def test_an_order_that_appears_behind_a_directory_that_answered_is_loud(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    for _ in range(3):
        assert loud(ground, site) == frozenset()
    with ground.store.claim("site/a", "test", 5) as lease:
        ground.store.pending_key(lease, "a", lambda: x509.new_key("ecdsa-p256"))
    assert loud(ground, site) == {"a"}


def test_a_directory_answers_for_an_hour(ground: Ground, site: DesiredSite, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(ground, site)
    assert "live/a" not in looked_at(ground, site, monkeypatch)
    ahead = time.time_ns() + 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: ahead)
    assert "live/a" in looked_at(ground, site, monkeypatch)


def test_a_restless_site_keeps_no_row_that_hides_what_comes(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    ground.store.remember("a", lambda memory: replace(memory, renew_requested="now"))
    declared = ground.declared(site)
    assert ground.observer.loud({"a": site.digest}, NOW) == {"a"}
    ground.observer.observe(declared, Scope(full=True))
    ground.observer.settle(declared, {})
    for _ in range(3):
        assert loud(ground, site) == {"a"}


def test_a_refused_path_is_loud_once_it_is_mended(ground: Ground) -> None:
    rule = FileRule(Part.CERTIFICATE, f"{ground.root}/none/a.crt", 0o644)
    site = ground.site("a", ground.copies(files=(rule,)))
    settled(ground, site)
    assert loud(ground, site) == frozenset()
    (ground.root / "none").mkdir()
    assert loud(ground, site) == {"a"}


def test_what_changed_during_the_pass_is_not_settled(ground: Ground, site: DesiredSite) -> None:
    time.sleep(0.03)
    declared = ground.declared(site)
    ground.observer.loud({"a": site.digest}, NOW)
    ground.observer.observe(declared, Scope(full=True))
    (ground.installed / "a.conf").write_text("someone was quicker")
    ground.observer.settle(declared, {"a": None})
    assert loud(ground, site) == {"a"}


def test_what_was_not_observed_is_not_settled(ground: Ground, site: DesiredSite) -> None:
    time.sleep(0.03)
    ground.observer.loud({"a": site.digest}, NOW)
    ground.observer.settle(ground.declared(site), {"a": None})
    assert loud(ground, site) == {"a"}


def test_rows_of_sites_that_are_gone_are_dropped(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    other = ground.site("b")
    settled(ground, other)
    assert ground.cache.signatures(NAMESPACE).keys() == {"b"}


def test_without_the_memo_the_world_is_the_same(ground: Ground, site: DesiredSite) -> None:
    settled(ground, site)
    before = ground.new_observer().observe(ground.declared(site), Scope(full=True))
    for path in (ground.root / "state").glob("index.sqlite*"):
        path.unlink()
    assert loud(ground, site) == {"a"}
    assert ground.new_observer().observe(ground.declared(site), Scope(full=True)) == before
    assert {fact.change for on in before.sites["a"].on.values() for fact in on.files} == {FileChange.NONE}


@pytest.mark.parametrize("payload", ["", "[]", "\0\0x\0y", "x\0\x000\x000", "\0\x000\x000", "\0\x009\x00-9\0/"])
def test_a_damaged_memo_is_an_empty_one(ground: Ground, site: DesiredSite, payload: str) -> None:
    settled(ground, site)
    signature = ground.cache.signatures(NAMESPACE)["a"]
    ground.cache.put(NAMESPACE, {"a": (signature, payload)})
    assert loud(ground, site) == {"a"}


class MemoryCache:
    """A cache that costs nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def signatures(self, namespace: str) -> Mapping[str, str]:
        return {key: row[0] for key, row in self.rows(namespace).items()}

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        assert (namespace, keys) == (NAMESPACE, None)
        return self.kept

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> bool:
        assert (namespace, list(drop)) == (NAMESPACE, [])
        self.kept.update(rows)
        return True

    def put_all(self, writes: Mapping[str, Rewrite], row: tuple[str, str], seen: str | None) -> bool:
        raise NotImplementedError


def test_asking_costs_one_lstat_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {f"s{site}": tuple(str(tmp_path / f"s{site}-{file}") for file in range(8)) for site in range(200)}
    for files in paths.values():
        for path in files:
            Path(path).touch()
    time.sleep(0.03)
    quiet = Quiet(MemoryCache())
    quiet.settle({name: Calm("digest", None, files) for name, files in paths.items()}, paths)
    asked: list[str] = []
    real = os.lstat

    def counted(path: str) -> os.stat_result:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(os, "lstat", counted)
    assert quiet.loud(dict.fromkeys(paths, "digest"), NOW) == frozenset()
    assert sorted(asked) == sorted(path for files in paths.values() for path in files)
    assert quiet._rows.keys() == paths.keys()


def test_copies_of_every_part_are_watched(ground: Ground) -> None:
    ground.issue("a")
    spec = ground.copies(*(part for part in Part if part not in (Part.CONFIG, Part.TASK)))
    site = ground.site("a", spec)
    ground.install(site, spec)
    settled(ground, site)
    for rule in spec.files:
        path = Path(rule.path.replace("{site}", "a"))
        path.touch()
        assert loud(ground, site) == {"a"}
        settled(ground, site)
        assert loud(ground, site) == frozenset()
