"""The ways by DNS beside dns-01, and providers that are not a primary of ours, through whole orders."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.journeys.dns_street import DnsStreet
from tests.journeys.stage import document
from tests.servers.bind import bind
from tests.servers.pdns import API_KEY, Pdns, pdns
from tests.servers.pebble import pebble
from tests.servers.unbound import unbound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.journeys.stage import Stage

ACCOUNT = {"username": "u-CANARY", "password": "p-CANARY", "subdomain": "abc", "fulldomain": "abc.two.test"}


@pytest.fixture(name="street")
def _street(stage: Stage) -> Iterator[DnsStreet]:
    with (
        bind(stage.root / "ns", {"one.test": (), "two.test": ()}) as server,
        pebble(stage.root, server.endpoint) as ca,
    ):
        yield DnsStreet(stage, server, ca)


def test_dns_account_01(street: DnsStreet) -> None:
    street.write(street.site("one", "one.test", "*.one.test"), type="dns-account-01")
    street.stage.settle()
    assert {how.type for how in street.stage.live("one").meta.challenges.values()} == {"dns-account-01"}
    assert street.left() == []


def test_dns_persist_01_is_printed_checked_and_never_written(street: DnsStreet) -> None:
    stage = street.stage
    street.write(
        street.site("one", "*.one.test"),
        type="dns-persist-01",
        provider=None,
        propagation={"nameservers": [street.server.endpoint], "timeout": "1s"},
    )
    stage.apply()
    words = street.failure("one")
    assert words.startswith("WaitingForSolve: publish _validation-persist.one.test. 30 IN TXT ")
    value = words.split('"')[1]
    assert value.endswith("; policy=wildcard")
    assert "; accounturi=https://" in value
    street.server.update("one.test", "add", "_validation-persist.one.test", value.replace("; policy=wildcard", ""))
    street.later()
    stage.apply()
    assert street.failure("one").startswith("WaitingForSolve: "), "that one covers no wildcard"
    street.server.update("one.test", "add", "_validation-persist.one.test", value)
    street.later()
    stage.settle()
    assert value in street.server.query("_validation-persist.one.test")


def test_dns_persist_01_is_looked_for_at_each_name(street: DnsStreet) -> None:
    """The draft: the label stands before each name that is proven; a wildcard is proven by its base, with a policy."""
    stage = street.stage
    look = {"nameservers": [street.server.endpoint], "timeout": "1s"}
    site = street.site("one", "a.one.test", "one.test", "*.one.test")
    street.write(site, type="dns-persist-01", provider=None, propagation=look)
    stage.apply()
    lines = re.findall(r'TXT "([^"]+)"', street.failure("one"))
    values = dict.fromkeys(lines)
    assert [value.endswith("; policy=wildcard") for value in values] == [False, True], street.failure("one")
    plain, wild = values
    street.server.update("one.test", "add", "_validation-persist.one.test", wild)
    street.later()
    stage.apply()
    words = street.failure("one")
    assert "publish _validation-persist.a.one.test. 30 IN TXT" in words
    assert "does not have _validation-persist.one.test" not in words, "one record speaks for base and wildcard"
    street.server.update("one.test", "add", "_validation-persist.a.one.test", plain)
    street.later()
    stage.settle()


def test_what_a_person_publishes_for_several_ways_is_told_at_once(street: DnsStreet) -> None:
    """Nobody else ends these waits, and none is so long that the time to look again is over before all are."""
    stage = street.stage
    look = {"nameservers": [street.server.endpoint], "timeout": "11s"}
    names = {"hand": "a.one.test", "stand": "b.one.test", "zone": "c.one.test"}
    challenges = [{"method": method, "hostnames": [name]} for method, name in names.items()]
    street.write(street.site("one", *names.values(), challenges=challenges))
    stage.write(
        "ways.yaml",
        document("ChallengeMethod", "hand", {"type": "dns-01", "provider": {"type": "manual"}, "propagation": look}),
        document("ChallengeMethod", "stand", {"type": "dns-persist-01", "propagation": look}),
    )
    reports = stage.apply()
    words = street.failure("one")
    assert words.startswith("WaitingForSolve: "), words
    assert len([one for one in stage.outcomes(reports) if one[0] == "issue"]) == 1, "the waits go on side by side"
    lines = dict(re.findall(r'publish (\S+)\. 30 IN TXT "([^"]+)"', words))
    assert sorted(lines) == ["_acme-challenge.a.one.test", "_validation-persist.b.one.test"], words
    for name, value in lines.items():
        street.server.update("one.test", "add", name, value)
    street.later()
    stage.settle()


def test_lexicon(stage: Stage) -> None:
    root = stage.root
    with pdns(root / "ns", {"one.test": ()}) as server, pebble(root, server.endpoint) as ca:
        assert isinstance(server, Pdns)
        street = DnsStreet(stage, server, ca)
        token = root / "token"
        token.write_text(API_KEY)
        options = {"auth_token": {"file": str(token)}, "pdns_server": server.api}
        street.write(
            street.site("one", "one.test", "*.one.test"),
            provider={"type": "lexicon", "name": "powerdns", "options": options},
            propagation={"nameservers": [server.endpoint]},
        )
        stage.settle()
        assert server.query("_acme-challenge.one.test") == []


@contextmanager
def acme_dns(street: DnsStreet) -> Iterator[str]:
    """Run the /update of an acme-dns that keeps its values in the street's name server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = (self.headers["X-Api-User"], self.headers["X-Api-Key"]) == ("u-CANARY", "p-CANARY")
            mute = self.headers["X-Api-User"] == "mute"
            if known:
                street.server.update("two.test", "add", f"{body['subdomain']}.two.test", body["txt"], 1)
            refusal = {} if mute else {"error": "forbidden"}
            answer = json.dumps({"txt": body["txt"]} if known else refusal).encode()
            self.send_response(200 if known or mute else 401)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_acme_dns(stage: Stage) -> None:
    root = stage.root
    zones = {"one.test": ("_acme-challenge CNAME abc.two.test.",), "two.test": ()}
    with (
        bind(root / "ns", zones) as server,
        unbound(root / "unbound", dict.fromkeys(zones, server.endpoint)) as resolver,
        pebble(root, resolver) as ca,
    ):
        street = DnsStreet(stage, server, ca)
        credentials = root / "acme-dns.json"
        with acme_dns(street) as url:
            provider = {"type": "acme-dns", "url": url, "credentials": {"file": str(credentials)}}
            look = {"nameservers": [server.endpoint], "timeout": "1s"}
            street.write(street.site("one", "one.test", "*.one.test"), provider=provider, propagation=look)
            for content, words in (
                ("{", "is not JSON"),
                ("{}", "has nothing for one.test"),
                (json.dumps({**ACCOUNT, "password": ""}), "lacks password"),
                (json.dumps({**ACCOUNT, "password": "wrong"}), "answered 401: forbidden"),
                (json.dumps({**ACCOUNT, "username": "mute"}), "answered 200, but not with the value"),
                (json.dumps({**ACCOUNT, "fulldomain": "else.two.test"}), "acme-dns needs `_acme-challenge.one.test."),
            ):
                credentials.write_text(content)
                stage.apply()
                assert words in street.failure("one")
                assert "CANARY" not in street.failure("one")
                street.later()
            # names are the same in any case, and with the dot of the root
            credentials.write_text(json.dumps({"one.test": {**ACCOUNT, "fulldomain": "ABC.two.test."}}))
            stage.settle()


def test_three_ways_in_one_certificate(stage: Stage) -> None:
    ways = {"zone": "*.one.test", "web": "a.two.test", "alpn": "b.two.test"}
    challenges = [{"method": method, "hostnames": [name]} for method, name in ways.items()]
    zones = {"one.test": (), "two.test": ("a A 127.0.0.1", "b A 127.0.0.1")}
    with bind(stage.root / "ns", zones) as server, pebble(stage.root, server.endpoint) as ca:
        street = DnsStreet(stage, server, ca)
        street.write(street.site("one", *ways.values(), challenges=challenges))
        stage.write(
            "listeners.yaml",
            document("ChallengeMethod", "web", {"type": "http-01", "listener": {"port": ca.http_port}}),
            document("ChallengeMethod", "alpn", {"type": "tls-alpn-01", "listener": {"port": ca.tls_port}}),
        )
        stage.settle()
    found = stage.live("one").meta.challenges
    assert {how.method: name for name, how in found.items()} == ways
    assert street.left() == []
