"""Installed files: every way in which a file can differ from what is wanted there."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from reconciler.model.desired import FileRule, Template
from reconciler.model.names import Part
from reconciler.model.observed import FileChange

if TYPE_CHECKING:
    from tests.observe.ground import Ground


def test_what_is_not_there_is_created(ground: Ground) -> None:
    site = ground.site("a", ground.nginx())
    (fact,) = ground.facts(site, "web")
    assert (fact.path, fact.part, fact.change) == (f"{ground.installed}/a.conf", Part.CONFIG, FileChange.CREATE)
    assert "ssl_certificate" in (fact.after or "")


def test_what_stands_as_we_left_it_is_no_change(ground: Ground) -> None:
    ground.issue("a")
    for spec in (ground.nginx(), ground.copies(*(part for part in Part if part not in (Part.CONFIG, Part.TASK)))):
        site = ground.site("a", spec)
        ground.install(site, spec)
        on = ground.world(site).sites["a"].on[spec.name]
        assert {fact.change for fact in on.files} == {FileChange.NONE}
        assert on.inventory is not None
        assert on.digest == on.inventory.digest != ""
        assert on.copies == (spec.type == "files")


def test_an_untouched_file_is_not_opened(ground: Ground) -> None:
    ground.issue("a")
    spec = ground.copies()
    site = ground.site("a", spec)
    ground.install(site, spec)
    opened: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if watching[0] and event == "open" else None)
    ground.facts(site, "copies")
    watching[0] = False
    assert not [path for path in opened if path.endswith((".key", ".fullchain"))]


@pytest.mark.parametrize("part", [Part.CONFIG, Part.KEY])
def test_drift_is_restored(ground: Ground, part: Part) -> None:
    ground.issue("a")
    spec = ground.nginx() if part is Part.CONFIG else ground.copies(part)
    site = ground.site("a", spec)
    ground.install(site, spec)
    path = Path(ground.facts(site, spec.name)[0].path)
    good, mode = path.read_bytes(), path.stat().st_mode

    path.write_text("mine now")
    (fact,) = ground.facts(site, spec.name)
    assert (fact.change, fact.message) == (FileChange.RESTORE, "its content was changed")
    assert fact.before == ("mine now" if part is Part.CONFIG else None)
    assert (fact.after is None) == (part is not Part.CONFIG)

    path.write_bytes(good)
    assert ground.facts(site, spec.name)[0].change is FileChange.NONE  # touched, and the same again

    path.chmod(0o604)
    assert ground.facts(site, spec.name)[0].message == f"mode 0604 becomes {mode & 0o777:04o}"
    path.chmod(mode & 0o777)

    path.unlink()
    (fact,) = ground.facts(site, spec.name)
    assert (fact.change, fact.message) == (FileChange.RESTORE, "it was removed")


def test_a_file_of_ours_that_grew_huge_is_restored_unread(ground: Ground) -> None:
    spec = ground.nginx()
    site = ground.site("a", spec)
    ground.install(site, spec)
    with (ground.installed / "a.conf").open("wb") as file:
        file.truncate(1 << 30)
    (fact,) = ground.facts(site, "web")
    assert (fact.change, fact.before) == (FileChange.RESTORE, None)


def test_another_text_is_an_update_with_both_texts(ground: Ground) -> None:
    spec = ground.nginx()
    ground.install(ground.site("a", spec), spec)
    other = replace(spec, layout="vhost", template=Template("inline", "# {{ site }}\n"))
    (fact,) = ground.facts(ground.site("a", other), "web")
    assert fact.change is FileChange.UPDATE
    assert "ssl_certificate" in (fact.before or "")
    assert fact.after == "# a\n"


def test_another_revision_is_an_update_of_every_copy(ground: Ground) -> None:
    ground.issue("a")
    spec = ground.copies()
    site = ground.site("a", spec)
    ground.install(site, spec)
    second = ground.issue("a")
    facts = ground.facts(site, "copies")
    assert {fact.change for fact in facts} == {FileChange.UPDATE}
    assert all(second in fact.message and fact.before is None and fact.after is None for fact in facts)


def test_another_mode_and_another_part_are_updates(ground: Ground) -> None:
    ground.issue("a")
    spec = ground.copies(Part.CHAIN)
    ground.install(ground.site("a", spec), spec)
    path = spec.files[0].path
    for rule in (FileRule(Part.CHAIN, path, 0o640), FileRule(Part.CERTIFICATE, path, 0o644)):
        (fact,) = ground.facts(ground.site("a", replace(spec, files=(rule,))), "copies")
        assert fact.change is FileChange.UPDATE
        assert fact.message


def test_another_owner_is_an_update_and_an_unknown_one_is_refused(ground: Ground) -> None:
    ground.issue("a")
    spec = ground.copies(Part.CHAIN)
    ground.install(ground.site("a", spec), spec)
    path = spec.files[0].path
    (fact,) = ground.facts(
        ground.site("a", replace(spec, files=(FileRule(Part.CHAIN, path, 0o644, "nobody"),))), "copies"
    )
    assert (fact.change, fact.message) == (
        FileChange.UPDATE,
        "owner root becomes nobody, group root becomes nogroup",
    )
    for rule in (FileRule(Part.CHAIN, path, 0o644, "no-such-user"), FileRule(Part.CHAIN, path, 0o644, None, "no-such")):
        (fact,) = ground.facts(ground.site("a", replace(spec, files=(rule,))), "copies")
        assert fact.change is FileChange.REFUSED
        assert "create it first" in fact.message


def test_a_file_that_is_not_ours_is_foreign_or_adopted(ground: Ground) -> None:
    (ground.installed / "a.conf").write_text("theirs")
    (fact,) = ground.facts(ground.site("a", ground.nginx()), "web")
    assert (fact.change, fact.after) == (FileChange.FOREIGN, None)
    (fact,) = ground.facts(ground.site("a", ground.nginx(existing="adopt")), "web")
    assert (fact.change, fact.before) == (FileChange.ADOPT, "theirs")
    assert fact.after is not None


def test_after_a_lost_inventory_our_files_are_known_by_their_content(ground: Ground) -> None:
    ground.issue("a")
    parts = tuple(part for part in Part if part not in (Part.CONFIG, Part.TASK))
    for spec in (ground.nginx(), ground.copies(*parts)):
        site = ground.site("a", spec)
        ground.install(site, spec)
        ground.forget("a", spec.name)
        facts = ground.facts(site, spec.name)
        assert {fact.change for fact in facts} == {FileChange.UPDATE}
        assert all("record of it is missing" in fact.message for fact in facts)


def test_a_key_or_certificate_of_another_is_not_taken_for_ours(ground: Ground) -> None:
    parts = tuple(part for part in Part if part not in (Part.CONFIG, Part.TASK) and part is not Part.CHAIN)
    ground.issue("a")
    spec = ground.copies(*parts)
    site = ground.site("a", spec)
    ground.install(site, spec)
    ground.forget("a", "copies")
    ground.issue("a")  # what stands there is now an older certificate, and nothing says that it is ours
    assert {fact.change for fact in ground.facts(site, "copies")} == {FileChange.FOREIGN}
    for fact in ground.facts(site, "copies"):
        Path(fact.path).write_text("garbage")
    assert {fact.change for fact in ground.facts(site, "copies")} == {FileChange.FOREIGN}


def test_a_target_s_own_directory_is_made_where_only_that_is_missing(ground: Ground) -> None:
    missing = str(ground.root / "none")
    (fact,) = ground.facts(ground.site("a", ground.nginx(config_directory=missing)), "web")
    assert fact.change is FileChange.CREATE


def test_a_path_that_cannot_be_used_is_refused_with_a_sentence(ground: Ground) -> None:
    def refused(directory: Path) -> str:
        (fact,) = ground.facts(ground.site("a", ground.nginx(config_directory=str(directory))), "web")
        assert fact.change is FileChange.REFUSED
        return fact.message

    assert "no such directory" in refused(ground.root / "none" / "deeper")
    (ground.root / "file").write_text("")
    assert "is not a directory" in refused(ground.root / "file")
    open_to_all = ground.root / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert "written by others" in refused(open_to_all)
    (ground.root / "tidy" / "a.conf").mkdir(parents=True)
    assert "not a file" in refused(ground.root / "tidy")
    (ground.root / "linked").mkdir()
    (ground.root / "linked" / "a.conf").symlink_to("/etc/passwd")
    assert "not a file" in refused(ground.root / "linked")


def test_a_directory_of_somebody_else_is_refused(ground: Ground) -> None:
    theirs = ground.root / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    (fact,) = ground.facts(ground.site("a", ground.nginx(config_directory=str(theirs))), "web")
    assert fact.change is FileChange.REFUSED
    assert "uid 65534" in fact.message


def test_what_is_no_longer_wanted_is_removed(ground: Ground) -> None:
    spec = ground.nginx()
    site = ground.site("a", spec)
    ground.install(site, spec)
    moved = ground.root / "moved"
    moved.mkdir()
    created, removed = ground.facts(ground.site("a", replace(spec, config_directory=str(moved))), "web")
    assert (created.change, created.path) == (FileChange.CREATE, f"{moved}/a.conf")
    assert (removed.change, removed.path) == (FileChange.REMOVE, f"{ground.installed}/a.conf")
    assert "ssl_certificate" in (removed.before or "")
    (ground.installed / "a.conf").unlink()
    assert (
        ground.facts(ground.site("a", replace(spec, config_directory=str(moved))), "web")[1].message == "gone already"
    )


def test_a_target_that_a_site_left_is_cleaned_by_inventory(ground: Ground) -> None:
    spec = ground.nginx()
    ground.install(ground.site("a", spec), spec)
    facts = ground.world(ground.site("a")).sites["a"].on["web"].files
    assert [fact.change for fact in facts] == [FileChange.REMOVE]


def test_a_path_in_another_sites_hands_is_refused_until_that_site_gives_it_up(ground: Ground) -> None:
    rule = FileRule(Part.FULLCHAIN, f"{ground.installed}/one.pem", 0o644)
    spec = replace(ground.copies(), files=(rule,))
    ground.issue("a")
    ground.issue("b")
    former = ground.site("a", spec)
    ground.install(former, spec)
    newcomer = ground.site("b", spec)

    partial = ground.world(newcomer, names=["a"], full=False)
    (fact,) = partial.sites["b"].on["copies"].files
    assert fact.change is FileChange.REFUSED
    assert "site a" in fact.message

    both = ground.world(former, newcomer)  # two sites, one path: nothing of what stands there is touched
    assert all(both.sites[name].on["copies"].problem is not None for name in ("a", "b"))

    elsewhere = ground.site("a")
    world = ground.world(elsewhere, newcomer)
    (fact,) = world.sites["b"].on["copies"].files
    assert (fact.change, fact.message) == (FileChange.UPDATE, "taken over from site a")
    assert world.sites["a"].on["copies"].files == ()

    world = ground.world(newcomer)  # site a is no longer declared at all
    assert world.sites["b"].on["copies"].files[0].change is FileChange.UPDATE
    (abandoned,) = world.abandoned
    assert abandoned.installed["copies"].files == ()


def test_a_path_that_a_quiet_site_took_over_is_not_removed_by_its_former_site(ground: Ground) -> None:
    rule = FileRule(Part.FULLCHAIN, f"{ground.installed}/one.pem", 0o644)
    spec = replace(ground.copies(), files=(rule,))
    for name in ("a", "b"):
        ground.issue(name)
        ground.install(ground.site(name, spec), spec)  # both inventories have it, as after a handover that was cut off
    for full in (True, False):
        world = ground.world(ground.site("a"), names=["b"], full=full)
        assert world.sites["a"].on["copies"].files == ()
    (gone,) = ground.world(names=["b"]).abandoned
    assert gone.installed["copies"].files == ()


def test_a_site_that_cannot_be_rendered_has_a_problem_and_keeps_its_files(ground: Ground) -> None:
    spec = ground.nginx()
    ground.install(ground.site("a", spec), spec)
    broken = replace(spec, layout="vhost", template=Template("inline", "{{ nothing }}"))
    on = ground.world(ground.site("a", broken)).sites["a"].on["web"]
    assert on.files == ()
    assert on.problem is not None
    assert (on.problem.reason, "nothing" in on.problem.detail) == ("InvalidManifest", True)


@pytest.mark.parametrize("existing", ["refuse", "adopt"])
def test_a_path_that_two_targets_want_is_given_to_one(ground: Ground, existing: Literal["refuse", "adopt"]) -> None:
    rules = (FileRule(Part.FULLCHAIN, f"{ground.installed}/same.pem", 0o644),)
    first, second = (ground.copies(name=name, files=rules, existing=existing) for name in ("first", "second"))
    ground.issue("a")
    ground.issue("b")
    a, b = ground.site("a", first), ground.site("b", second)
    (mine,), (refused,) = ground.facts(a, "first", b), ground.facts(b, "second", a)
    assert (mine.change, refused.change) == (FileChange.CREATE, FileChange.REFUSED)
    assert "same.pem is a file of site a on target first; give each target a directory" in refused.message

    ground.install(a, first)
    for sites in ((b, a), (b,)):  # whether or not the other is looked at
        world = ground.world(*sites, names=["a"])
        (refused,) = world.sites["b"].on["second"].files
        assert refused.change is FileChange.REFUSED
        assert "is a file of site a on target first" in refused.message
    (mine,) = ground.facts(a, "first", b)
    assert mine.change is FileChange.NONE
