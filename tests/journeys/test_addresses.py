from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import dns.message
import dns.query
import dns.tsig
import dns.update
import pytest

from reconciler.cli.start import start
from tests.journeys.stage import SERVER, Stage, document, held, site, told
from tests.servers.knot import knot
from tests.servers.pdns import API_KEY, Pdns, pdns
from tests.servers.pebble import pebble
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

OWN, CLONE = "127.0.0.1", "127.0.0.2"


@dataclass
class Scene:
    """A machine, a zone that it may write to, and a CA that asks that zone."""

    stage: Stage
    ns: NameServer
    ca: Pebble

    def tree(self, secret: str = SECRET, **server: Any) -> list[dict[str, object]]:  # noqa: ANN401
        """Give the machine and the method that writes to the zone."""
        key = self.stage.root / "tsig.key"
        key.write_text(secret + "\n")
        tsig = {"name": KEY_NAME, "algorithm": ALGORITHM, "secret": {"file": str(key)}}
        provider = {"type": "rfc2136", "server": self.ns.endpoint, "tsig": tsig}
        machine = {**SERVER, "addresses": [OWN], "resolvers": [self.ns.endpoint], **server}
        method = {"type": "dns-01", "provider": provider}
        return [document("Server", "home", machine), document("ChallengeMethod", "zone", method)]

    def write(self, *sites: dict[str, object], secret: str = SECRET, **server: Any) -> None:  # noqa: ANN401
        issuer = {"type": "acme", "directory": self.ca.directory, "caBundle": str(self.ca.bundle)}
        listener = {"type": "http-01", "listener": {"port": self.ca.http_port}, "selfTest": "off"}
        self.stage.write(
            "base.yaml",
            *self.tree(secret, **server),
            document("Issuer", "pebble", issuer),
            document("ChallengeMethod", "own", {**listener, "preflight": {"pointsHere": "enforce"}}),
        )
        self.stage.write("sites.yaml", *sites)

    def site(self, name: str, *hostnames: str, **spec: Any) -> dict[str, object]:  # noqa: ANN401
        wanted = {"issuers": ["pebble"], "challenges": [{"method": "own"}], "addressRecords": {"provider": "zone"}}
        return site(name, *hostnames, **{**wanted, **spec})

    def records(self, name: str) -> list[str]:
        return self.ns.query(name, "A") + self.ns.query(name, "AAAA")

    def by_hand(self, name: str, address: str, action: str = "add") -> None:
        signer = dns.tsig.Key(f"{KEY_NAME}.", base64.b64decode(SECRET), f"{ALGORITHM}.")
        change = dns.update.UpdateMessage("example.com.", keyring=signer)
        if action == "add":
            change.add(f"{name}.", 60, "A", address)
        else:
            change.delete(f"{name}.", "A", address)
        assert dns.query.tcp(change, self.ns.address, timeout=5, port=self.ns.port).rcode() == 0


@pytest.fixture(name="scene")
def _scene(stage: Stage) -> Iterator[Scene]:
    with (
        knot(stage.root / "ns", {"example.com": ()}, updates="TXT, A, AAAA") as server,
        pebble(stage.root, server.endpoint) as ca,
    ):
        yield Scene(stage, server, ca)


def test_a_clone_leaves_the_records_of_the_machine_that_serves(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was copied, on a machine with another address, until a person says that it is the one."""

    def become(digit: str) -> None:
        path = scene.stage.root / "machine-id"
        path.write_text(f"{digit * 32}\n")
        monkeypatch.setattr("reconciler.store.source.MACHINE_ID", str(path))

    def apply(*words: str) -> int:
        return start(["-f", str(scene.stage.manifests), "--state", str(scene.stage.state), "apply", *words])

    become("a")
    scene.write(scene.site("one"))
    assert apply() == 0
    become("b")
    scene.write(scene.site("one"), addresses=[CLONE])
    assert apply() == 1
    assert scene.records("one.example.com") == [OWN]
    hold = held(scene.stage.diff())["one", "MovedStore"]
    assert "its address records are left as they are" in hold.message
    assert apply("--accept-machine") == 0
    assert scene.records("one.example.com") == [CLONE]


def test_a_servers_own_hostname_is_brought_up_from_nothing_but_a_zone(scene: Scene) -> None:
    scene.write(scene.site("svr1", "svr1.example.com"))
    assert told(scene.stage.diff())[0] == ("publish", "site/svr1", "NotPublished")
    assert scene.records("svr1.example.com") == []
    scene.stage.settle()
    assert scene.records("svr1.example.com") == [OWN]
    assert scene.stage.live("svr1").facts.hostnames == ("svr1.example.com",)


def test_only_what_was_published_is_removed(scene: Scene) -> None:
    scene.by_hand("one.example.com", OWN)
    scene.by_hand("two.example.com", "127.0.0.9")
    scene.write(scene.site("one", "one.example.com", "two.example.com", "example.com", issuers=["ca"], challenges=None))
    scene.stage.settle()
    assert scene.records("one.example.com") == [OWN]
    assert scene.records("two.example.com") == [OWN, "127.0.0.9"]
    assert scene.records("example.com") == [OWN], "an apex may have addresses"
    scene.write(scene.site("one", "one.example.com", "two.example.com", issuers=["ca"], addressRecords=None))
    assert ("unpublish", "site/one", "NoLongerWanted") in told(scene.stage.diff())
    scene.stage.settle()
    assert scene.records("one.example.com") == [OWN], "it stood there before"
    assert scene.records("two.example.com") == ["127.0.0.9"]
    assert scene.records("example.com") == []
    assert list((scene.stage.state / "undo").iterdir()) == []


def test_what_somebody_else_takes_away_is_found_within_an_hour_and_published_again(scene: Scene) -> None:
    """Also what stood there before us: from then on it is ours. What nobody can be asked for is left as it is."""
    stage = scene.stage
    scene.by_hand("two.example.com", OWN)
    scene.write(scene.site("one", "one.example.com", "two.example.com", issuers=["ca"], challenges=None))
    stage.settle()
    scene.by_hand("one.example.com", OWN, "delete")
    scene.by_hand("two.example.com", OWN, "delete")
    stage.assert_calm()
    stage.shift += timedelta(minutes=61)
    assert told(stage.diff()) == [("refresh", "site/one", "LookAgain")]
    done = stage.outcomes(stage.settle())
    assert [row[0] for row in done] == ["refresh", "publish"]
    assert (scene.records("one.example.com"), scene.records("two.example.com")) == ([OWN], [OWN])
    stage.shift += timedelta(minutes=61)
    assert [row[0] for row in stage.outcomes(stage.settle())] == ["refresh"]
    scene.write(scene.site("one", "one.example.com", "two.example.com", issuers=["ca"], addressRecords=None))
    stage.settle()
    assert (scene.records("one.example.com"), scene.records("two.example.com")) == ([], [])


def test_a_name_server_that_is_away_takes_nothing_back(stage: Stage) -> None:
    with knot(stage.root / "ns", {"example.com": ()}, updates="A") as server:
        scene = Scene(stage, server, cast("Pebble", None))
        stage.write("all.yaml", *scene.tree(), scene.site("one", "one.example.com", issuers=["ca"], challenges=None))
        stage.settle()
    stage.shift += timedelta(minutes=61)
    assert [(row[0], row[2]) for row in stage.outcomes(stage.settle())] == [("refresh", "done")]
    with stage.app(read_only=True) as app:
        assert [one.identity for one in app.store.undo()] == ["ours"]
        (event,) = [one for one in app.store.events("one") if one.reason == "DnsUnreachable"]
    assert "not looked for: the name server" in event.message


def test_addresses_by_other_providers(stage: Stage) -> None:
    """By dns-lexicon, whose primary is not known: then the zone's name servers are asked."""
    with pdns(stage.root / "ns", {"example.com": ("two A 192.0.2.9",)}) as server:
        assert isinstance(server, Pdns)
        token = stage.root / "token"
        token.write_text(API_KEY)
        options = {"auth_token": {"file": str(token)}, "pdns_server": server.api}
        method = {
            "type": "dns-01",
            "provider": {"type": "lexicon", "name": "powerdns", "options": options},
            "propagation": {"nameservers": [server.endpoint]},
        }
        base = [document("Server", "home", {**SERVER, "addresses": [OWN]}), document("ChallengeMethod", "zone", method)]
        wanted = {"issuers": ["ca"], "addressRecords": {"provider": "zone"}}
        stage.write("all.yaml", *base, site("one", "one.example.com", "two.example.com", "example.com", **wanted))
        stage.settle()
        names = ("one.example.com", "two.example.com", "example.com")
        assert [server.query(name, "A") for name in names] == [[OWN], [OWN, "192.0.2.9"], [OWN]]
        stage.write("all.yaml", *base, site("one", *names, issuers=["ca"]))
        stage.settle()
        assert [server.query(name, "A") for name in names] == [[], ["192.0.2.9"], []]


def test_addresses_that_change_and_a_site_that_goes(scene: Scene) -> None:
    sites = [scene.site(name, f"{name}.example.com", issuers=["ca"]) for name in ("one", "two", "three", "four")]
    scene.write(*sites)
    scene.stage.settle()
    scene.write(*sites, addresses=[OWN, "::1"])
    scene.stage.settle()
    assert scene.records("one.example.com") == [OWN, "::1"]
    scene.write(*sites[1:], addresses=["::1"])
    scene.stage.settle()
    assert scene.records("one.example.com") == []
    assert scene.records("two.example.com") == ["::1"]


def test_a_key_that_is_refused_backs_off_and_heals(scene: Scene) -> None:
    wanted = scene.site("one", "one.example.com")
    scene.write(wanted, secret="d3JvbmcgYnV0IGxvbmcgZW5vdWdoIHRvIGJlIGEga2V5")
    reports = scene.stage.apply()
    failed = [row for row in scene.stage.outcomes(reports) if row[0] == "publish"]
    assert [(row[2], row[3].split()[0]) for row in failed] == [("failed", "TsigRefused")]
    assert "secret" in held(scene.stage.diff())["one", "Backoff"].message
    again = {**wanted, "metadata": {"name": "one", "annotations": {"certwright/retryAt": "now"}}}
    scene.write(again)
    scene.stage.settle()
    assert scene.records("one.example.com") == [OWN]
