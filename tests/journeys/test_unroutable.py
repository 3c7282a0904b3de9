from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.doors.dns_client import api as dns
from reconciler.model.text import Secret
from tests.journeys.stage import SERVER, Stage, document, held, site
from tests.servers.faults import edit_json
from tests.servers.knot import knot
from tests.servers.ports import free_port
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.front import Front
    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

RECORDS = (
    "here A 127.0.0.1",
    "away A 192.0.2.9",
    "cdn A 192.0.2.7",
    "@ A 192.0.2.7",
    "void TXT nothing",
    "banned A 127.0.0.1",
    'banned CAA 0 issue "other.example"',
    "shut A 127.0.0.1",
    'shut CAA 0 issue ";"',
    '@ CAA 0 iodef "mailto:me@example.com"',
)


@dataclass
class Scene:
    """A machine, a CA behind a front that counts, and a name server that the machine asks."""

    stage: Stage
    front: Front
    port: int
    resolver: str
    ns: NameServer

    def write(self, *names: str, preflight: dict[str, str] | None = None, trust: str = "public", **more: Any) -> None:  # noqa: ANN401
        issuer = {"type": "acme", "directory": self.front.directory, "caBundle": str(self.front.bundle)}
        ways = [{"method": "own", "preflight": preflight or {}}]
        self.stage.write(
            "all.yaml",
            document("Server", "home", {**SERVER, "addresses": ["127.0.0.1"], "resolvers": [self.resolver]}),
            document("Issuer", "pebble", {**issuer, "trust": trust}),
            document("ChallengeMethod", "own", {"type": "http-01", "listener": {"port": self.port}, "selfTest": "off"}),
            site("one", *names, issuers=["pebble"], challenges=ways, **more),
        )

    @property
    def orders(self) -> int:
        return self.front.count("order-plz", method="POST")

    def publish(self, name: str, address: str) -> None:
        key = dns.parse_key_file(KEY_NAME, ALGORITHM, Secret(SECRET.encode()))
        endpoint = dns.parse_endpoint(self.ns.endpoint)
        dns.add_address(endpoint, "example.com", key, name, address, 30)


@pytest.fixture(name="scene")
def _scene(stage: Stage, front: Front, pebble: Pebble) -> Iterator[Scene]:
    with knot(stage.root / "ns", {"example.com": RECORDS}, updates="TXT, A") as server:
        yield Scene(stage, front, pebble.http_port, server.endpoint, server)


@pytest.mark.parametrize(
    ("name", "preflight", "trust", "words"),
    [
        ("gone.example.com", {}, "public", "does not resolve (the name does not exist)"),
        ("void.example.com", {}, "public", "does not resolve (it has neither A nor AAAA)"),
        ("gone.example.com", {"pointsHere": "enforce"}, "test", "does not resolve"),
        ("away.example.com", {"pointsHere": "enforce"}, "test", "points at 192.0.2.9, and this machine is 127.0.0.1"),
    ],
)
def test_a_name_that_cannot_be_proven_never_reaches_the_ca(
    scene: Scene, name: str, preflight: dict[str, str], trust: str, words: str
) -> None:
    scene.write(name, preflight=preflight, trust=trust)
    scene.stage.apply()
    assert scene.orders == 0
    hold = held(scene.stage.diff())["one", "Unroutable"]
    assert f"{name} {words}" in hold.message
    assert hold.failed


@pytest.mark.parametrize(
    ("name", "preflight", "trust"),
    [
        ("here.example.com", {"pointsHere": "enforce", "caa": "enforce"}, "public"),
        ("cdn.example.com", {"pointsHere": "enforce"}, "public"),
        ("away.example.com", {}, "public"),
        ("gone.example.com", {}, "test"),
        ("gone.example.com", {"pointsHere": "off"}, "public"),
    ],
)
def test_others_are_left_to_the_ca(scene: Scene, name: str, preflight: dict[str, str], trust: str) -> None:
    """What stands behind a CDN points where its apex points; a warning holds nothing; `off` asks no resolver at all."""
    if "off" in preflight.values():
        scene.resolver = f"127.0.0.1:{free_port()}"
    scene.write(name, preflight=preflight, trust=trust)
    scene.stage.settle()
    assert scene.orders == 1
    assert scene.stage.live("one").facts.hostnames == (name,)


def test_caa_is_enforced_where_it_is_said(scene: Scene) -> None:
    """A CA whose own names are not known is not judged by the names that stand there; but no CA at all is plain."""
    scene.front.inject(edit_json(lambda value: {**value, "meta": {}}), "/dir", times=None)
    scene.write("shut.example.com", preflight={"caa": "enforce"})
    scene.stage.apply()
    assert "no CA at all is allowed" in held(scene.stage.diff())["one", "CaaForbids"].message
    assert scene.orders == 0
    scene.write("banned.example.com", preflight={"caa": "enforce"})
    scene.stage.settle()
    assert scene.orders == 1


def test_the_cas_own_word_for_its_names_is_used_and_kept(scene: Scene) -> None:
    """RFC 8555 section 7.1.1: the directory's caaIdentities. What it says later replaces what it said before."""

    def calls_itself(*names: object) -> None:
        scene.front.heal()
        told = edit_json(lambda value: {**value, "meta": {**value["meta"], "caaIdentities": names}})
        scene.front.inject(told, "/dir", times=None)

    def kept() -> list[tuple[str, ...]]:
        with scene.stage.app(read_only=True) as app:
            return [one.caa for one in app.store.accounts().values()]

    calls_itself("Other.Example.", "no name", 7, "other.example")
    scene.write("banned.example.com", preflight={"caa": "enforce"})
    scene.stage.settle()
    assert (scene.orders, kept()) == (1, [("other.example",)])
    calls_itself("ca.example")
    scene.write("banned.example.com", "here.example.com", preflight={"caa": "enforce"})
    scene.stage.apply()
    hold = held(scene.stage.diff())["one", "CaaForbids"]
    assert "banned.example.com: allowed are other.example, not ca.example" in hold.message
    assert (scene.orders, kept()) == (1, [("ca.example",)])


def test_it_is_tried_slowly_again_and_at_once_after_an_edit(scene: Scene) -> None:
    stage = scene.stage
    scene.write("gone.example.com", "here.example.com")
    waits = []
    for _ in range(5):
        stage.apply()
        failures = stage.memory("one").failures["issue"]
        assert failures.last is not None
        assert failures.next_attempt is not None
        waits.append(round((failures.next_attempt - failures.last.at) / timedelta(minutes=1)))
        stage.shift += timedelta(minutes=waits[-1], seconds=1)
    assert waits == [1, 10, 60, 1440, 1440]
    assert scene.orders == 0
    stage.shift = timedelta()
    scene.write("here.example.com")
    stage.settle()


def test_a_person_who_mended_it_need_not_wait(scene: Scene) -> None:
    scene.write("late.example.com")
    scene.stage.apply()
    scene.publish("late.example.com", "127.0.0.1")
    scene.stage.apply()
    assert scene.orders == 0, "held, until its time has come"
    scene.write("late.example.com", annotations={"certwright/retryAt": "now"})
    scene.stage.settle()
    assert scene.orders == 1


def test_a_good_name_goes_on_without_the_bad_one(scene: Scene) -> None:
    scene.write("gone.example.com", "here.example.com", onNameFailure="drop")
    scene.stage.apply()
    assert scene.stage.live("one").facts.hostnames == ("here.example.com",)
    assert scene.orders == 1
