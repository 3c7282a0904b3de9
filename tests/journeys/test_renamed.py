"""A site under another name: its certificate goes on, nobody is asked, and the server serves it throughout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.model.ports import Scope
from tests.journeys.loops import asking, failed
from tests.journeys.stage import SERVER, ca_site, copy_target, document, held, told
from tests.servers.handshake import handshake

if TYPE_CHECKING:
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

NAME = "shop.example.com"
BLOCK = """server {
    listen {{ values.port }} ssl;
    server_name{% for one in hostnames %} {{ one }}{% endfor %};
    ssl_certificate {{ fullchain }};
    ssl_certificate_key {{ key }};
    return 204;
}
"""


@pytest.mark.parametrize("part", [False, True], ids=["whole tree", "one site named"])
def test_a_renamed_site_takes_its_certificate_along(street: Street, *, part: bool) -> None:
    stage = street.stage
    street.write(street.quick("old", NAME), street.quick("other"))
    stage.settle()
    before, reloads = stage.live("old"), street.web.reloads
    street.write(street.quick("new", NAME), street.quick("other"))
    scope = Scope(frozenset({"new"}), follows=True) if part else Scope(full=True, follows=True)
    diff = stage.diff(scope)
    assert told(diff) == [
        ("activate", "site/new", "Renamed"),
        ("uninstall", "site/old", "Renamed"),
        ("install", "site/new", "NotInstalled"),
        ("reload", "target/web", "ConfigurationChanged"),
        ("archive", "site/old", "Renamed"),
    ], "half of all sites, and no guard asks"
    assert held(diff) == {}
    with asking(street.tls_port, NAME) as seen:
        reports = stage.apply(scope)
    assert failed(seen) == []
    assert {what for _, what in seen} == {before.facts.fingerprint}, "nothing else was ever served"
    assert [one for one in stage.outcomes(reports) if one[2] != "done"] == []
    assert [one for one in stage.outcomes(reports) if one[0] == "issue"] == []
    assert street.web.reloads == reloads + 1
    assert stage.live("new") == before
    assert sorted(path.name for path in street.web.include.iterdir()) == ["new.conf", "other.conf"]
    stage.assert_calm()
    # who names the former path in a file of their own is served for 30 days more, renewals too
    link = stage.state / "live" / "old"
    assert str(link.readlink()) == "../live/new"
    assert (link / "fullchain.pem").read_bytes() == stage.path("new", "fullchain.pem").read_bytes()
    with stage.app() as app:
        assert "old" not in app.store.sites()
        app.store.tidy(datetime.now(UTC) + timedelta(days=29))
        assert link.is_symlink()
        app.store.tidy(datetime.now(UTC) + timedelta(days=31))
        assert not link.is_symlink()
    assert stage.live("new") == before


def test_a_heir_that_cannot_be_installed_leaves_all_as_it_was(street: Street) -> None:
    stage = street.stage
    street.write(street.quick("old", NAME), street.quick("other"))
    stage.settle()
    before = stage.live("old").facts.fingerprint
    extra = stage.root / "broken.extra"
    extra.write_text("no_such_directive;\n")
    broken = {"name": "web", "values": {"extra": [str(extra)]}}
    street.write(street.quick("new", NAME, targets=[broken]), street.quick("other"))
    with asking(street.tls_port, NAME) as seen:
        reports = stage.apply()
    assert {what for _, what in seen} == {before}
    assert ("uninstall", "site/old") in {one[:2] for one in stage.outcomes(reports) if one[2] == "failed"}
    assert sorted(path.name for path in street.web.include.iterdir()) == ["old.conf", "other.conf"]
    assert told(stage.diff()) == [], "the former name's files stay while its heir's cannot come"
    assert ("old", "HandoverPending") in held(stage.diff())
    street.web.stop()
    street.web.start()
    assert handshake(street.tls_port, NAME).fingerprint == before
    # mended
    extra.write_text("# fine\n")
    stage.shift = timedelta(minutes=10)
    stage.settle()
    street.assert_served("new", NAME)
    assert sorted(path.name for path in street.web.include.iterdir()) == ["new.conf", "other.conf"]
    assert len(list((stage.state / "certificates" / "new").iterdir())) == 1


def test_another_key_or_issuer_or_a_tree_that_is_not_followed_is_no_renaming(stage: Stage) -> None:
    def write(*sites: dict[str, object]) -> None:
        stage.write("base.yaml", document("Server", "home", SERVER), copy_target(stage.root / "out"))
        stage.write("sites.yaml", *sites)

    write(ca_site("old", NAME), ca_site("other"), ca_site("more"), ca_site("last"))
    stage.settle()
    rest = [ca_site("other"), ca_site("more"), ca_site("last")]
    write(ca_site("new", NAME), *rest)
    assert ("activate", "site/new", "Renamed") in told(stage.diff(Scope(full=True, follows=True)))
    assert ("issue", "site/new", "Missing") in told(stage.diff(Scope(frozenset({"new"}))))
    for spec in ({"privateKey": {"algorithm": "rsa-2048"}}, {"issuers": ["self-signed"]}, {"hostnames": ["x.example"]}):
        write(ca_site("new", NAME, **spec), *rest)
        assert ("issue", "site/new", "Missing") in told(stage.diff()), spec


def test_a_renamed_target_takes_its_files_along(stage: Stage) -> None:
    """Were they taken away for the old name first, the server would show nothing until the new name put them back."""
    out = stage.root / "out"
    stage.write("base.yaml", document("Server", "home", SERVER), copy_target(out))
    stage.write("sites.yaml", ca_site("one"), ca_site("two"))
    stage.settle()
    before = {path: path.stat().st_ino for path in out.iterdir()}
    assert len(before) == 4
    renamed = {**copy_target(out), "metadata": {"name": "other"}}
    stage.write("base.yaml", document("Server", "home", SERVER), renamed)
    stage.write("sites.yaml", ca_site("one", targets=["other"]), ca_site("two"), copy_target(out))
    leaving = next(change for change in stage.diff().plan.changes if change.verb == "uninstall")
    assert (leaving.site, leaving.target, leaving.files) == ("one", "copy", ())
    stage.settle()
    assert {path: path.stat().st_ino for path in out.iterdir()} == before, "nothing was taken away"
    stage.assert_calm()
    # under the new name they are its own: with it they go
    elsewhere = {**copy_target(stage.root / "elsewhere"), "metadata": {"name": "else"}}
    stage.write("sites.yaml", ca_site("one", targets=["else"]), ca_site("two"), copy_target(out), elsewhere)
    stage.apply()
    assert sorted(path.name for path in out.iterdir()) == ["two.crt", "two.key"]


def rename_target(street: Street, more: dict[str, Any]) -> None:
    """Write the tree with the target `web` under the name `other`."""
    street.write(street.quick("one", targets=["other"]), street.quick("two", targets=["other"]), target=more)
    documents = list(yaml.safe_load_all((street.stage.manifests / "base.yaml").read_text()))
    documents[-1]["metadata"]["name"] = "other"
    street.stage.write("base.yaml", *documents)


@pytest.mark.parametrize(
    "more",
    [
        {"values": {}},
        {"template": {"inline": BLOCK}},
        {"verify": {"mode": "warn"}},
    ],
    ids=["values", "template", "verify"],
)
def test_a_target_renamed_and_changed_at_once(street: Street, more: dict[str, Any]) -> None:
    """The files are taken over and made anew in one switch; nobody is asked, and the names are served throughout."""
    stage = street.stage
    street.write(street.quick("one"), street.quick("two"))
    stage.settle()
    before = {name: stage.live(name) for name in ("one", "two")}
    if "values" in more:
        extra = stage.root / "extra"
        extra.write_text("add_header X-Renamed yes;\n")
        more = {"values": {"extra": [str(extra)]}}
    verify = {"ports": [street.tls_port], **more.get("verify", {})}
    more = {**more, "verify": verify, "values": {"port": street.tls_port, **more.get("values", {})}}
    rename_target(street, more)
    with asking(street.tls_port, "one.example.com") as seen:
        reports = stage.settle()
    assert [one for one in stage.outcomes(reports) if one[2] == "failed"] == []
    assert not {one[0] for one in stage.outcomes(reports)} & {"issue", "archive"}
    assert failed(seen) == []
    assert {what for _, what in seen} == {before["one"].facts.fingerprint}
    street.assert_served("one")
    street.assert_served("two")
    assert sorted(path.name for path in street.web.include.iterdir()) == ["one.conf", "two.conf"]
    assert {name: stage.live(name) for name in ("one", "two")} == before
    assert not (stage.state / "inventory" / "web" / "sites" / "one.json").exists()
    stage.assert_calm()


def test_what_a_renamed_target_cannot_install_stays_the_former_ones(street: Street) -> None:
    """Neither of them would own the files else, and mending the template would find strangers' in its way."""
    stage = street.stage
    street.write(street.quick("one"), street.quick("two"))
    stage.settle()
    before = {path.name: path.read_bytes() for path in street.web.include.iterdir()}
    broken = {"template": {"inline": "no_such_directive {{ site }};\n"}}
    rename_target(street, broken)
    with asking(street.tls_port, "one.example.com") as seen:
        reports = stage.apply()
    assert failed(seen) == []
    assert {one[2] for one in stage.outcomes(reports) if one[0] == "install"} == {"failed"}
    assert {path.name: path.read_bytes() for path in street.web.include.iterdir()} == before
    assert (stage.state / "inventory" / "web" / "sites" / "one.json").exists()
    rename_target(street, {})
    stage.shift = timedelta(minutes=10)
    with asking(street.tls_port, "one.example.com") as seen:
        stage.settle()
    assert failed(seen) == []
    stage.assert_calm()
