"""Sites that are declared no more: out of the server first, then into the archive; never by accident."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.model.ports import Limits, Scope
from tests.journeys.stage import SERVER, ca_site, copy_target, document, held, site, told
from tests.program import Program

if TYPE_CHECKING:
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

NAMES = ("one", "two", "three", "four")


def write(stage: Stage, *names: str, **spec: object) -> None:
    target = copy_target(stage.root / "out", **spec)
    stage.write("base.yaml", document("Server", "home", SERVER), target)
    stage.write("sites.yaml", *(ca_site(name) for name in names))


def copies(stage: Stage) -> list[str]:
    return sorted(path.name for path in (stage.root / "out").iterdir())


def test_removed_site_leaves_the_server_first_and_is_archived(street: Street) -> None:
    street.write(*(street.quick(name) for name in NAMES))
    street.stage.settle()
    revision = street.stage.live("four").id
    street.write(*(street.quick(name) for name in NAMES[:3]))
    diff = street.stage.diff()
    assert told(diff) == [
        ("uninstall", "site/four", "NotDeclared"),
        ("reload", "target/web", "ConfigurationChanged"),
        ("archive", "site/four", "NotDeclared"),
    ]
    archive = diff.plan.changes[-1]
    assert set(archive.after) == {change.id for change in diff.plan.changes[:2]}, "only after the server let go of it"
    street.stage.settle()
    assert not (street.web.include / "four.conf").exists()
    assert (street.stage.state / "archive" / "four" / revision / "privkey.pem").exists()
    assert not (street.stage.state / "live" / "four").is_symlink()
    street.assert_served("one")
    # declared again, it takes its certificate back
    street.write(*(street.quick(name) for name in NAMES))
    again = street.stage.diff()
    assert ("activate", "site/four", "Missing") in told(again)
    assert not any(change.verb == "issue" for change in again.plan.changes)
    street.stage.settle()
    street.assert_served("four")
    assert street.stage.live("four").id == revision
    assert not (street.stage.state / "archive" / "four" / revision).exists()


def test_what_no_longer_fits_stays_in_the_archive(stage: Stage) -> None:
    write(stage, "one", "two")
    stage.settle()
    write(stage, "one")
    stage.settle(Limits(removals=1))
    target = copy_target(stage.root / "out")
    stage.write("base.yaml", document("Server", "home", SERVER), target)
    stage.write("sites.yaml", ca_site("one"), ca_site("two", "other.example.com"))
    assert ("issue", "site/two", "Missing") in told(stage.diff())
    stage.settle()
    assert stage.live("two").facts.hostnames == ("other.example.com",)
    assert len(list((stage.state / "archive" / "two").iterdir())) == 1


def test_too_many_removals_are_held(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    write(stage, *NAMES[:2])
    before = copies(stage)
    stage.apply()
    assert copies(stage) == before
    hold = held(stage.diff())[None, "TooManyRemovals"]
    assert hold.failed
    assert "--allow-removals 2" in (hold.ends_when or "")
    stage.settle(Limits(removals=2))
    assert copies(stage) == ["one.crt", "one.key", "two.crt", "two.key"]


def test_empty_tree_removes_nothing(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    before = copies(stage)
    write(stage)
    stage.apply()
    assert copies(stage) == before
    assert (None, "TooManyRemovals") in held(stage.diff())


def test_last_site_is_held_too(stage: Stage) -> None:
    write(stage, "one")
    stage.settle()
    write(stage)
    stage.apply()
    assert copies(stage) == ["one.crt", "one.key"]
    stage.settle(Limits(removals=1))
    assert copies(stage) == []


def test_what_a_server_includes_stays_while_its_site_does(street: Street) -> None:
    snippets = {"layout": "snippet"}
    include = street.web.include
    own = f"ssl; include {include}/one.conf; include {include}/http-01.conf; }}"
    street.write(street.site("one"), target=snippets)
    street.stage.apply()
    street.web.config.write_text(street.web.config.read_text().replace(f"include {include}/*.conf;", ""))
    at = f"server {{ listen 127.0.0.1:{street.tls_port} {own}"
    street.web.config.write_text(street.web.config.read_text().rstrip().removesuffix("}") + f"{at}\n}}\n")
    street.stage.shift = timedelta(minutes=10)
    street.stage.settle()
    # the guard holds the site, so the file that it shares with others stays as well
    street.write(target=snippets)
    diff = street.stage.diff()
    assert told(diff) == []
    assert (None, "TooManyRemovals") in held(diff)
    # allowed, and nginx cannot do without what its owner still includes: tried once, and all of it is put back
    before = street.web.reloads
    reports = street.stage.apply(limits=Limits(removals=1))
    assert [one[2] for one in street.stage.outcomes(reports) if one[0] == "uninstall"] == ["failed"]
    assert street.web.reloads <= before + 1
    street.assert_served("one")
    # whoever looks at a glance sees it
    seen = Program(street.stage.root)("status")
    assert seen.returncode == 1
    assert "held: NotDeclared: site one is declared no more, and could not be taken away: " in seen.stdout
    assert f"{include}/one.conf" in seen.stdout, "in nginx's own words"
    # declared again, it bears no grudge
    street.write(street.site("one"), target=snippets)
    assert street.stage.diff().plan.changes == ()
    with street.stage.app(read_only=True) as app:
        report = street.stage.diff()
        item = app.engine.viewing("one", report, None)
    assert item["status"]["failures"]["count"] == 0  # type: ignore[index]


def test_no_removal_with_a_site_named_or_part_of_the_tree(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    write(stage, *NAMES[:3])
    before = copies(stage)
    for scope in (Scope(frozenset({"one"})), Scope(full=False)):
        assert told(stage.diff(scope)) == []
        stage.apply(scope)
        assert copies(stage) == before


def test_prune_disabled_keeps_the_site(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.write("kept.yaml", ca_site("kept"))
    stage.settle()
    # said later, when the site needed nothing else
    stage.write("kept.yaml", ca_site("kept", annotations={"certwright/prune": "disabled"}))
    stage.settle()
    (stage.manifests / "kept.yaml").unlink()
    stage.apply()
    assert "kept.crt" in copies(stage)
    assert ("kept", "PruneDisabled") in held(stage.diff())
    assert told(stage.diff()) == []


def test_target_taken_away_from_a_site(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    before = stage.live("one").id
    stage.write("sites.yaml", site("one", issuers=["ca"]), *(ca_site(name) for name in NAMES[1:]))
    assert ("uninstall", "site/one", "NoLongerWanted") in told(stage.diff())
    stage.settle()
    assert "one.crt" not in copies(stage)
    assert stage.live("one").id == before, "its certificate stays"


def test_changed_path_moves_the_files(stage: Stage) -> None:
    write(stage, "one")
    stage.settle()
    write(stage, "one", fullchain=str(stage.root / "out" / "{site}.pem"))
    stage.settle()
    assert copies(stage) == ["one.key", "one.pem"]


def test_deleted_target_is_cleaned_up_from_its_record(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    stage.write("base.yaml", document("Server", "home", SERVER))
    stage.write("sites.yaml", *(site(name, issuers=["ca"]) for name in NAMES))
    stage.settle()
    assert copies(stage) == []


def test_uninstall_that_fails_archives_nothing_and_is_tried_again(stage: Stage) -> None:
    write(stage, *NAMES)
    stage.settle()
    write(stage, *NAMES[:3])
    stage.diff()
    # a directory takes the place of the file between plan and batch: what is not a file is not removed
    key = stage.root / "out" / "four.key"
    key.unlink()
    key.mkdir()
    stage.apply()
    assert (stage.state / "live" / "four").is_symlink(), "a site that is not out of its server is not archived"
    diff = stage.diff()
    assert diff.plan.changes or diff.plan.holds
    key.rmdir()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    assert not (stage.state / "live" / "four").is_symlink()
    assert copies(stage) == sorted(f"{name}.{end}" for name in NAMES[:3] for end in ("crt", "key"))


def test_refused_reload_keeps_the_removed_site_out_of_the_archive(stage: Stage) -> None:
    """As long as the server may still have it loaded, nothing is archived."""
    write(stage, *NAMES)
    stage.settle()
    write(stage, *NAMES[:3], reload={"command": ["false"]})
    stage.apply()
    assert (stage.state / "certificates" / "four").exists()
    write(stage, *NAMES[:3])
    stage.shift = timedelta(minutes=10)
    stage.settle()
    assert not (stage.state / "certificates" / "four").exists()
