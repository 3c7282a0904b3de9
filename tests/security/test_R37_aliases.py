"""R37: an alias steers our TXT nowhere: followed on a switch only, to challenge names or declared targets, no apex."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.challenges.dns.means import Means
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.errors import Failed
from reconciler.model.desired import Dns01, Rfc2136, SecretRef, Tsig
from reconciler.model.ports import Asked
from reconciler.model.text import Secret
from tests.builders import MemoryStore, SteadyClock
from tests.servers.knot import knot
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.observed import Undo
    from reconciler.model.ports import Solver
    from tests.servers.zones import NameServer

TOKEN = "t" * 43
ASKED = Asked(f"{TOKEN}.{'p' * 43}")
TENANT = (
    "_acme-challenge.dkim CNAME sel._domainkey.two.test.",
    "_acme-challenge.spf CNAME two.test.",
    "_acme-challenge.good CNAME _acme-challenge.good.two.test.",
    "_acme-challenge.cut CNAME _acme-challenge.sub.two.test.",
    "_acme-challenge.hub CNAME hub.acme.two.test.",
    "_acme-challenge.loop CNAME _acme-challenge.pool.one.test.",
    "_acme-challenge.pool CNAME _acme-challenge.loop.one.test.",
    "_acme-challenge.chain CNAME h0",
    *(f"h{number} CNAME h{number + 1}" for number in range(12)),
    "_acme-challenge.away CNAME _acme-challenge.x.elsewhere.test.",
    "_acme-challenge.odd CNAME _acme-challenge.a\\032b.two.test.",
    "*.wild CNAME www.two.test.",
)


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    zones = {"one.test": TENANT, "two.test": (), "_acme-challenge.sub.two.test": ()}
    with knot(tmp_path_factory.mktemp("knot"), zones) as server:
        yield server


def ways() -> Solvers:
    store, clock = MemoryStore(), SteadyClock()
    means = Means(clock, lambda _ref, _field: Secret(SECRET.encode()))
    return Solvers(store, Ports(store, "/nowhere", clock), means)


def solver(server: NameServer, **changes: Any) -> Solver:  # noqa: ANN401  any field
    zone = changes.pop("zone", None)
    provider = Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig")), zone)
    return ways().solver(Dns01(name="zone", provider=provider, resolvers=(server.endpoint,), **changes))


def prepared(server: NameServer, host: str, **changes: Any) -> Undo:  # noqa: ANN401
    return solver(server, **changes).prepare("site", f"{host}.one.test", TOKEN, ASKED)


def test_off_by_default_and_the_error_says_so(server: NameServer) -> None:
    with pytest.raises(Failed) as failure:
        prepared(server, "good")
    assert failure.value.reason == "AliasStands"
    assert "_acme-challenge.good.one.test is a CNAME to _acme-challenge.good.two.test" in str(failure.value)
    assert "followCname: true" in str(failure.value)


def test_followed_to_a_challenge_name_or_a_declared_target(server: NameServer) -> None:
    good = prepared(server, "good", follow_cname=True)
    assert (good.name, good.place) == ("_acme-challenge.good.two.test", "two.test")
    hub = prepared(server, "hub", follow_cname=True, cname_targets=("acme.two.test",))
    assert (hub.name, hub.place) == ("hub.acme.two.test", "two.test")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("dkim", "leads to sel._domainkey.two.test, where nothing is written"),
        ("hub", "allowed by `cnameTargets: [acme.two.test]`"),
        ("spf", "leads to two.test: a TXT record is never written at the apex"),
        ("loop", "in a circle of CNAMEs: _acme-challenge.loop.one.test -> _acme-challenge.pool.one.test -> _acme-ch"),
        ("chain", "over more than 8 CNAMEs"),
    ],
)
def test_not_followed_elsewhere(server: NameServer, host: str, words: str) -> None:
    with pytest.raises(Failed) as failure:
        prepared(server, host, follow_cname=True)
    assert failure.value.reason == "AliasRefused"
    assert words in str(failure.value)


def test_a_declared_zone_is_where_targets_lie(server: NameServer) -> None:
    """A name of the site's may lie elsewhere; what a CNAME leads to may not, unless that is declared too."""
    with pytest.raises(
        Failed, match=r"and lies in the declared zone one\.test, or is allowed by `cnameTargets"
    ) as failure:
        prepared(server, "good", zone="one.test", follow_cname=True)
    assert failure.value.reason == "AliasRefused"
    for changes in ({"zone": "two.test"}, {"zone": "one.test", "cname_targets": ("good.two.test", "two.test")}):
        good = prepared(server, "good", follow_cname=True, **changes)
        assert (good.name, good.place) == ("_acme-challenge.good.two.test", "two.test")


def test_an_alias_to_a_delegated_challenge_name_is_one_to_an_apex(server: NameServer) -> None:
    with pytest.raises(Failed, match="apex"):
        prepared(server, "cut", follow_cname=True)


def test_a_zone_that_the_server_does_not_hold_is_named(server: NameServer) -> None:
    with pytest.raises(Failed, match=r"does not hold the zone three\.test") as failure:
        solver(server, zone="three.test").prepare("site", "a.three.test", TOKEN, ASKED)
    assert failure.value.reason == "ZoneNotOurs"


def test_never_an_apex_even_if_a_target_is_declared(server: NameServer) -> None:
    with pytest.raises(Failed, match="apex"):
        prepared(server, "spf", follow_cname=True, cname_targets=("test",))


@pytest.mark.parametrize("host", ["away", "odd"])
def test_a_zone_that_is_not_ours_and_strange_bytes(server: NameServer, host: str) -> None:
    with pytest.raises(Failed) as failure:
        prepared(server, host, follow_cname=True)
    assert str(failure.value).isprintable()


def test_a_wildcard_alias_gives_way_to_our_record(server: NameServer) -> None:
    way = solver(server)
    thing = way.prepare("site", "*.wild.one.test", TOKEN, ASKED)
    assert thing.name == "_acme-challenge.wild.one.test"
    done = way.present(thing, ASKED.key_authorization)
    ways().clean_up(done)


def test_the_key_is_in_no_record_of_ours(server: NameServer) -> None:
    from reconciler.model import plain

    with pytest.raises(Failed, match="no zone that holds"):
        solver(server).prepare("site", "a.three.test", TOKEN, ASKED)
    text = plain.canonical(solver(server).prepare("site", "a.one.test", TOKEN, ASKED))
    assert SECRET.encode() not in text
    assert base64.b64decode(SECRET) not in text
