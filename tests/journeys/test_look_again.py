"""What somebody deletes or damages between the look of a pass and its reload: the server never loads it so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits, Scope
from tests.journeys import test_haproxy as proxies
from tests.journeys.stage import SERVER, document, site
from tests.servers.dovecot import dovecot
from tests.servers.handshake import handshake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.journeys.street import Street
    from tests.servers.haproxy import Haproxy

AGAIN = {"annotations": {"certwright/renewAt": "1"}}
SCOPES = {"everything": Scope(full=True), "one site": Scope(sites=frozenset({"one"}))}


def applied(stage: Stage, scope: Scope, meanwhile: Callable[[], object]) -> list[tuple[str, str, str, str]]:
    """Make one pass, with what happens after its look and before anything is done; give its outcomes."""
    with stage.app() as app:
        report = app.engine.look(scope, Limits())
        meanwhile()
        done = app.engine.done(report, app.executor(), lambda _outcome: None)
    assert stage.bugs == []
    return stage.outcomes((done,))


@pytest.fixture(name="path")
def _path(street: Street) -> Path:
    """Three sites are served; the file of `two`."""
    street.write(*(street.quick(name) for name in ("one", "two", "three")))
    street.stage.settle()
    street.stage.settle()
    return street.web.include / "two.conf"


def changed(street: Street, **two: object) -> None:
    street.write(street.quick("one", **AGAIN), street.quick("two", **two), street.quick("three"))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("how", ["deleted", "emptied", "broken"])
def test_a_file_of_another_site_is_put_back_before_the_reload(street: Street, path: Path, scope: str, how: str) -> None:
    good, reloads = path.read_bytes(), street.web.reloads
    changed(street)
    harm: dict[str, Callable[[], object]] = {
        "deleted": path.unlink,
        "emptied": lambda: path.write_text(""),
        "broken": lambda: path.write_text("no;\n"),
    }
    told = applied(street.stage, SCOPES[scope], harm[how])
    assert path.read_bytes() == good
    assert [row[:3] for row in told if row[2] != "done"] == []
    said = {subject: text for verb, subject, _, text in told if verb == "install"}
    what = "deleted" if how == "deleted" else "changed"
    assert said["site/two"] == f"somebody {what} {path}; that was put back, or the reload would have lost the site"
    for name in ("one", "two", "three"):
        street.assert_served(name)
    assert street.web.reloads == reloads + 1
    street.stage.settle()
    assert street.web.reloads == reloads + 1, "it was loaded as it stands"


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("name", ["one", "two"])
def test_a_file_that_goes_while_the_server_tests_is_put_back_and_loaded(street: Street, name: str) -> None:
    gone, once = street.web.include / f"{name}.conf", street.stage.root / "once"
    test = ["/bin/sh", "-c", f'"$@"; code=$?; test -e {once} && rm {once} {gone}; exit $code', "sh"]
    more = {"values": {"extra": [str(street.stage.root / "extra")]}}
    (street.stage.root / "extra").write_text("# fine\n")
    street.write(
        street.quick("one", targets=[{"name": "web", **more}]), street.quick("two"), street.quick("three"),
        target={"test": [*test, *street.web.test_argv]},
    )  # fmt: skip
    once.touch()
    applied(street.stage, Scope(full=True), lambda: None)
    assert not once.exists()
    assert gone.exists()
    for one in ("one", "two", "three"):
        street.assert_served(one)
    street.stage.settle()


def test_a_suspended_site_is_left_as_it_is(street: Street, path: Path) -> None:
    changed(street, suspend=True)
    street.stage.apply(Scope(sites=frozenset({"two"})))
    applied(street.stage, SCOPES["one site"], path.unlink)
    assert not path.exists()


@pytest.mark.parametrize("what", ["pair", "line"])
def test_haproxy_keeps_pair_and_line_of_another_site(stage: Stage, haproxy: Haproxy, what: str) -> None:
    yard = proxies.Yard(stage, haproxy)
    yard.write(*(yard.site(name) for name in ("one", "two")), socket=None)
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    pair, listed = haproxy.include / "two.pem", haproxy.include / "crt-list.txt"
    before = {path: path.read_bytes() for path in (pair, listed)}
    yard.write(yard.site("one", **AGAIN), yard.site("two"), socket=None)

    def harm() -> None:
        if what == "pair":
            pair.unlink()
        else:
            listed.write_text(listed.read_text().partition("# site two")[0])

    told = applied(stage, SCOPES["one site"], harm)
    assert [row[:3] for row in told if row[2] != "done"] == []
    assert {path: path.read_bytes() for path in before} == before
    yard.assert_served("one", "two")
    stage.settle()


def test_dovecot_shows_no_default_site_for_another_ones_names(stage: Stage, tmp_path: Path) -> None:
    """Where the file of a site is gone, Dovecot has the pair of `defaultSite` for its names: that of somebody else."""
    with dovecot(tmp_path / "dovecot") as server:
        values = {
            "type": "dovecot",
            "configDirectory": str(server.include),
            "defaultSite": "one",
            "test": list(server.test_argv),
            "reload": {"command": list(server.reload_argv)},
            "verify": {"ports": [server.imaps]},
        }
        stage.write("mail.yaml", document("Server", "home", SERVER), document("Target", "mail", values))
        sites = [site(name, issuers=["ca"], targets=["mail"]) for name in ("one", "two")]
        stage.write("sites.yaml", *sites)
        stage.settle()
        stage.settle()
        stage.write("sites.yaml", site("one", issuers=["ca"], targets=["mail"], **AGAIN), sites[1])
        applied(stage, SCOPES["one site"], (server.include / "two.conf").unlink)
        assert handshake(server.imaps, "two.example.com").fingerprint == stage.live("two").facts.fingerprint
        assert handshake(server.imaps, "one.example.com").fingerprint == stage.live("one").facts.fingerprint
