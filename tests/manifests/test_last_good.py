"""`run` and `apply --keep-going` beside broken manifests: nothing good is changed for what cannot be understood now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.verbs.validate import NoCache
from reconciler.manifests.tree import ManifestTree
from tests.journeys.stage import document, site
from tests.manifests.lenient import Ground, digests, holds, server, typo, unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOME = server(issuers=["zerossl"], targets=["nginx"], privateKey={"algorithm": "rsa-2048"})
ZEROSSL = document("Issuer", "zerossl", {"type": "acme", "directory": "zerossl"})

breakings = pytest.mark.parametrize("breaking", [typo, unread, lambda _one: "<<<<<<< HEAD\nkind: [\n"])
"""A wrong field; no YAML, but kind and name can be read; nothing can be read."""

Breaking = Any


@pytest.fixture(params=[True, False], ids=["cache", "store"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return Ground(tmp_path, cached=request.param)


@breakings
@pytest.mark.parametrize("times", [1, 2])
def test_a_broken_server_changes_no_site(ground: Ground, breaking: Breaking, times: int) -> None:
    ground.write("home.yaml", HOME)
    ground.write("rest.yaml", ZEROSSL, site("a"), site("b", targets=["apache"]))
    good = digests(ground.read())
    ground.write("home.yaml", breaking(HOME))
    found = [ground.read() for _ in range(times)][-1]
    assert digests(found) == good
    assert {name: hold[0] for name, hold in holds(found).items()} == dict.fromkeys("ab", "InvalidManifest")
    assert "home.yaml" in holds(found)["a"][1]
    assert not found.complete
    ground.write("home.yaml", HOME)
    assert (digests(mended := ground.read()), mended.held, mended.complete) == (good, (), True)


@breakings
@pytest.mark.parametrize("named", [None, "svr1"])
def test_this_machine_does_not_become_another(ground: Ground, breaking: Breaking, named: str | None) -> None:
    ground.settings = replace(ground.settings, server=named, hostname="svr1.example.com")
    ground.write("svr1.yaml", one := server("svr1", issuers=["ca"]))
    ground.write("svr2.yaml", server("svr2", issuers=["self-signed"]))
    for number in (1, 2):
        ground.write(f"s{number}.yaml", site(f"s{number}", servers=[f"svr{number}"]))
    ground.write("both.yaml", site("both", servers=["svr1", "svr2"]))
    good = ground.read()
    assert set(good.sites) == {"s1", "both"}
    ground.write("svr1.yaml", breaking(one))
    found = ground.read()
    assert digests(found) == digests(good)
    assert found.held
    assert not any("no Server" in message for _, message in holds(found).values())


def test_another_machine_goes_on_beside_a_broken_server(ground: Ground) -> None:
    ground.settings = replace(ground.settings, hostname="svr2.example.com")
    ground.write("svr1.yaml", one := server("svr1", issuers=["ca"]))
    ground.write("svr2.yaml", server("svr2", issuers=["self-signed"]))
    ground.write("both.yaml", site("both", servers=["svr1", "svr2"]))
    good = digests(ground.read())
    ground.write("svr1.yaml", typo(one))
    ground.write("new.yaml", site("new", servers=["svr2"]))
    found = ground.read()
    assert found.held == ()
    assert (set(found.sites), digests(found)["both"]) == ({"both", "new"}, good["both"])


def test_where_nothing_was_good_a_broken_server_gives_no_site_other_settings(ground: Ground) -> None:
    ground.write("home.yaml", typo(HOME))
    ground.write("a.yaml", site("a"))
    found = ground.read()
    assert (found.sites, found.complete) == ({}, False)


@breakings
@pytest.mark.parametrize(
    ("declared", "use"),
    [
        (document("Target", "nginx", {"type": "nginx", "configDirectory": "/srv/tls"}), {"targets": ["nginx"]}),
        (document("Issuer", "letsencrypt", {"type": "acme", "directory": "zerossl"}), {"issuers": ["letsencrypt"]}),
        (document("ChallengeMethod", "http", {"type": "http-01", "listener": {"port": 80}}), {}),
    ],
)
def test_what_is_built_in_stands_for_nothing_broken(
    ground: Ground, breaking: Callable[[Any], Any], declared: dict[str, Any], use: dict[str, object]
) -> None:
    ground.write("server.yaml", server())
    ground.write("one.yaml", declared)
    ground.write("a.yaml", site("a", **{"issuers": ["letsencrypt"], **use}))
    ground.write("b.yaml", site("b", issuers=["ca"]))
    good = digests(ground.read())
    ground.write("one.yaml", breaking(declared))
    found = ground.read()
    assert digests(found) == good
    assert set(holds(found)) == {"a"}
    written = ManifestTree(ground.settings, NoCache()).written.resources()
    is_named = breaking in {typo, unread}
    assert is_named is not any(
        (one.kind, one.name) == (declared["kind"], declared["metadata"]["name"]) for one in written
    )
    ground.path("one.yaml").unlink()
    gone = ground.read()
    assert gone.held == ()
    assert digests(gone)["a"] != good["a"]


@pytest.mark.parametrize("named", [["hone"], ["svr2", "hone"]])
def test_a_site_with_wrong_servers_goes_on(ground: Ground, named: list[str]) -> None:
    ground.settings = replace(ground.settings, hostname="home")
    ground.write("servers.yaml", server(), server("svr2"))
    ground.write("a.yaml", site("a", servers=["home"]))
    ground.write("b.yaml", site("b", servers=["home"]))
    good = digests(ground.read())
    ground.write("a.yaml", site("a", servers=named))
    for _ in range(2):
        found = ground.read()
        assert (digests(found), found.complete) == (good, False)
        kept = "the manifest is not valid; the last good meaning is kept: "
        reason, text = holds(found)["a"]
        assert (reason, text.startswith(f"{kept}{ground.path('a.yaml')}:")) == ("InvalidManifest", True)
        assert "there is no Server `hone`: did you mean `home`?" in text


@pytest.mark.parametrize("hostname", ["home", "elsewhere"])
def test_sites_go_on_beside_a_second_server_that_came(ground: Ground, hostname: str) -> None:
    ground.settings = replace(ground.settings, hostname=hostname)
    ground.write("home.yaml", server())
    ground.write("a.yaml", site("a"))
    good = digests(ground.read())
    ground.write("second.yaml", server("second"))
    found = ground.read()
    assert (digests(found), set(holds(found))) == (good, {"a"})


def test_a_new_site_that_cannot_be_understood_is_told(ground: Ground) -> None:
    ground.write("home.yaml", server())
    ground.write("a.yaml", site("a", targets=["missing"]))
    ground.write("b.yaml", typo(site("b")))
    found = ground.read()
    none = "the manifest is not valid; nothing is done for the site, as it has no last good meaning: "
    told = holds(found)
    assert (found.sites, told["a"][0]) == ({}, "InvalidManifest")
    assert told["a"][1].startswith(f"{none}{ground.path('a.yaml')}:")
    assert "there is no Target `missing`: there are" in told["a"][1]
    assert told["b"][1].startswith(f"{none}{ground.path('b.yaml')}:")


WEB = document("Target", "web", {"type": "nginx"})
SHOP = "shop.example.com"


def web(name: str, *hostnames: str) -> dict[str, object]:
    return site(name, *hostnames, targets=["web"])


def test_who_has_a_hostname_keeps_it(ground: Ground) -> None:
    ground.write("home.yaml", server(), WEB)
    ground.write("m.yaml", web("m", SHOP))
    good = digests(ground.read())
    ground.write("a.yaml", web("a", SHOP))
    for _ in range(2):
        found = ground.read()
        assert (digests(found), found.complete) == (good, False)
        place = f"{ground.path('m.yaml')}:4"
        text = (
            f"{SHOP} on target web belongs to site m already ({place}); nothing is done for the site, as it has no last"
        )
        assert holds(found) == {"a": ("HostnameTaken", f"{text} good meaning")}
        assert found.held[0].ends_when == "one of the two sites gives the hostname up"
    ground.write("m.yaml", web("m", "other.example.com"))
    moved = ground.read()
    assert (set(moved.sites), moved.held, moved.complete) == ({"a", "m"}, (), True)


def test_a_site_that_takes_anothers_hostname_goes_on_without_it(ground: Ground) -> None:
    ground.write("home.yaml", server(), WEB)
    ground.write("m.yaml", web("m", SHOP))
    ground.write("a.yaml", web("a", "a.example.com"))
    good = digests(ground.read())
    ground.write("a.yaml", web("a", "a.example.com", SHOP))
    ground.write("b.yaml", web("b", "a.example.com"))
    found = ground.read()
    assert digests(found) == good
    assert {name: reason for name, (reason, _) in holds(found).items()} == dict.fromkeys("ab", "HostnameTaken")
    assert holds(found)["a"][1].endswith("; the last good meaning is kept")


def test_of_two_newcomers_the_first_has_it_and_the_second_what_is_free(ground: Ground) -> None:
    ground.write("home.yaml", server(), WEB)
    ground.write("a.yaml", web("a", SHOP), web("b", SHOP, "b.example.com"), web("c", "b.example.com"))
    found = ground.read()
    assert (set(found.sites), set(holds(found))) == ({"a", "c"}, {"b"})


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Site", {"hostnames": ["other.example.com"]}),
        ("Target", {"type": "nginx", "configDirectory": "/srv"}),
        ("Server", {"defaults": {"issuers": ["ca"]}}),
    ],
)
@pytest.mark.parametrize("copy", ["0.yaml", "z.yaml"])
def test_a_copy_changes_nothing(ground: Ground, kind: str, spec: dict[str, object], copy: str) -> None:
    ground.write("home.yaml", server())
    ground.write("t.yaml", WEB)
    ground.write("s.yaml", web("shop"))
    good = digests(ground.read())
    name = {"Site": "shop", "Target": "web", "Server": "home"}[kind]
    ground.write(copy, document(kind, name, spec))
    for _ in range(2):
        found = ground.read()
        assert (digests(found), found.complete) == (good, False)
        assert f"{kind} `{name}` is declared already at" in holds(found)["shop"][1]
    ground.path(copy).unlink()
    assert (digests(ground.read()), ground.read().held) == (good, ())


NAMELESS = "apiVersion: certwright/v1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"


@pytest.mark.parametrize(
    "name", ["my shop", "shop/one", "d_d!", "'a[b'", ".x", "-a", "b\u00fccher", "a" * 240, "''", "A_A"]
)
def test_a_site_with_an_impossible_name_holds_nobody_up(ground: Ground, name: str) -> None:
    ground.write("home.yaml", server(issuers=["ca"]), site("a"), site("b"))
    good = digests(ground.read())
    ground.write("new.yaml", NAMELESS.format("Site", name, "{hostnames: [n.example.com]}"))
    found = ground.read()
    assert digests(found) == good
    assert set(holds(found)) == {None}
    assert "new.yaml:3:" in holds(found)[None][1]


@pytest.mark.parametrize(
    ("kind", "name", "spec"),
    [
        ("Target", "nginx", {"type": "files", "key": "/srv/{site}.key", "fullchain": "/srv/{site}.pem"}),
        ("Issuer", "letsencrypt", {"type": "acme", "directory": "letsencrypt-staging"}),
        ("ChallengeMethod", "http", {"type": "http-01", "listener": {"port": 8080}}),
    ],
)
@pytest.mark.parametrize("wrong", ["my one", "my_one", "ngnix"])
def test_what_is_built_in_stands_for_nothing_that_lost_its_name(
    ground: Ground, kind: str, name: str, spec: dict[str, object], wrong: str
) -> None:
    ground.write("home.yaml", server(), site("a", targets=["nginx"]))
    ground.write("own.yaml", document(kind, name, spec))
    good = digests(ground.read())
    fields = {**spec, "typo": 1} if wrong == "ngnix" else spec
    ground.write("own.yaml", document(kind, wrong, fields))
    for _ in range(2):
        found = ground.read()
        assert digests(found) == good
        assert "own.yaml:" in holds(found)["a"][1]


@pytest.mark.parametrize(
    "now",
    [
        "a tab\there: [\n",
        NAMELESS.format("Sit", "b", "{hostnames: [b.example.com]}"),
        NAMELESS.format("Site", "bb", "{hostnames: [b.example.com], typo: 1}"),
        NAMELESS.format("Site", "bb", "{hostnames: [b.example.com], issuers: [nope]}"),
    ],
)
def test_a_site_that_moved_and_broke_at_once_goes_on(ground: Ground, now: str) -> None:
    ground.write("home.yaml", server(issuers=["ca"]), site("a"))
    ground.write("b.yaml", site("b"))
    good = digests(ground.read())
    ground.path("b.yaml").unlink()
    ground.write("moved.yaml", now)
    for _ in range(2):
        found = ground.read()
        assert digests(found) == good
        assert "moved.yaml" in holds(found)["b"][1] or "nope" in holds(found)["b"][1]
    ground.write("moved.yaml", site("b"))
    assert (digests(mended := ground.read()), mended.held, mended.complete) == (good, (), True)
