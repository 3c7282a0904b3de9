"""`run` and `apply --keep-going` beside broken manifests: nothing good is changed for what cannot be understood now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

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
    ground: Ground, breaking: Callable[[Any], Any], declared: dict[str, object], use: dict[str, object]
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
    ground.path("one.yaml").unlink()
    gone = ground.read()
    assert gone.held == ()
    assert digests(gone)["a"] != good["a"]
