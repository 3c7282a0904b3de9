from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from threading import Timer
from typing import TYPE_CHECKING, cast

import pytest

from reconciler.model.changes import Verb
from reconciler.model.ports import Limits
from tests.builders import Crash
from tests.journeys.dns_street import DnsStreet
from tests.journeys.stage import SERVER, document, held
from tests.servers.bind import bind
from tests.servers.crooked import crooked, honest
from tests.servers.knot import knot
from tests.servers.pdns import pdns
from tests.servers.pebble import pebble as pebble_of
from tests.servers.unbound import unbound
from tests.servers.zones import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.servers.crooked import Trick
    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

    Make = Callable[[Path, dict[str, tuple[str, ...]]], AbstractContextManager[NameServer]]

ZONES: dict[str, tuple[str, ...]] = {"one.test": (), "two.test": ()}


@contextmanager
def dns_street(stage: Stage, make: Make, zones: dict[str, tuple[str, ...]] | None = None) -> Iterator[DnsStreet]:
    with make(stage.root / "ns", zones or ZONES) as server, pebble_of(stage.root, server.endpoint) as ca:
        yield DnsStreet(stage, server, ca)


@pytest.mark.parametrize("make", [knot, bind, pdns], ids=["knot", "bind", "pdns"])
def test_a_wildcard_and_its_apex_in_one_certificate(stage: Stage, make: Make) -> None:
    """Both names share one owner name with two values at once; a stale value beside them stays what it is."""
    with dns_street(stage, make) as street:
        assert street.server.update("one.test", "add", "_acme-challenge.one.test", "stale") == "NOERROR"
        street.write(street.site("one", "one.test", "*.one.test", "deep.host.two.test"))
        street.stage.settle()
        live = stage.live("one")
        assert set(live.facts.hostnames) == {"one.test", "*.one.test", "deep.host.two.test"}
        assert {how.type for how in live.meta.challenges.values()} == {"dns-01"}
        assert street.server.query("_acme-challenge.one.test") == ["stale"]
        assert street.server.query("_acme-challenge.deep.host.two.test") == []
        assert street.left() == []


def test_an_alias_is_followed_behind_a_resolver(stage: Stage) -> None:
    """The CA asks a resolver, which follows the CNAME into the only zone that we may write to."""
    root = stage.root
    tenant = ("_acme-challenge.shop CNAME _acme-challenge.shop.two.test.",)
    with (
        knot(root / "one", {"one.test": tenant}) as first,
        bind(root / "two", {"two.test": ()}) as second,
        unbound(root / "unbound", {"one.test": first.endpoint, "two.test": second.endpoint}) as resolver,
        pebble_of(root, resolver) as ca,
    ):
        street = DnsStreet(stage, second, ca)
        street.write(
            street.site("one", "shop.one.test", "*.shop.one.test", "own.two.test"),
            followCname=True,
            resolvers=[resolver],
            provider=street.rfc2136(),
            propagation={"nameservers": [second.endpoint]},
        )
        street.stage.settle()
        assert "shop.one.test" in stage.live("one").facts.hostnames
        assert second.query("_acme-challenge.shop.two.test") == []


def test_a_challenge_name_that_is_a_zone_of_its_own(stage: Stage) -> None:
    """Delegated to keep the key away from the rest of the zone: the record stands at the apex."""
    own = {"one.test": ("_acme-challenge NS ns",), "_acme-challenge.one.test": ()}
    with dns_street(stage, knot, own) as street:
        street.write(street.site("one", "one.test", "*.one.test"))
        street.stage.settle()
        assert set(stage.live("one").facts.hostnames) == {"one.test", "*.one.test"}
        assert street.server.query("_acme-challenge.one.test") == []
        assert street.left() == []


def test_an_alias_is_an_error_that_says_so(stage: Stage) -> None:
    with dns_street(stage, knot, {"one.test": ("_acme-challenge CNAME _acme-challenge.two.test.",)}) as street:
        street.write(street.site("one", "one.test"))
        street.stage.apply()
        assert "_acme-challenge.one.test is a CNAME to _acme-challenge.two.test" in street.failure("one")
        assert "`followCname: true`" in street.failure("one")


def test_killed_between_adding_and_answering(stage: Stage) -> None:
    """What was written is taken away at the next start, although its site and its method are no longer declared."""
    with dns_street(stage, bind) as street:
        street.write(street.site("one", "one.test", "*.one.test"))
        street.server.update("one.test", "add", "_acme-challenge.one.test", "of-somebody-else")
        with pytest.raises(Crash):
            street.apply_until_settled()
        assert len(street.server.query("_acme-challenge.one.test")) == 3
        assert len(street.left()) == 2
        assert SECRET not in "".join(path.read_text() for path in (stage.state / "undo").iterdir())
        (stage.manifests / "sites.yaml").unlink()
        stage.write("base.yaml", document("Server", "home", SERVER))
        stage.apply(limits=Limits(removals=1))
        assert street.server.query("_acme-challenge.one.test") == ["of-somebody-else"]
        assert street.left() == []


def test_killed_and_taken_up_again_with_the_same_order(stage: Stage) -> None:
    with dns_street(stage, bind) as street:
        street.write(street.site("one", "one.test", "*.one.test"))
        with pytest.raises(Crash):
            street.apply_until_settled()
        written = street.server.query("_acme-challenge.one.test")
        street.stage.settle()
        assert len(written) == 2
        assert street.server.query("_acme-challenge.one.test") == []
        assert street.left() == []


def test_who_lacks_the_record_is_told_and_nobody_else_waits(stage: Stage) -> None:
    """One name server of two never gets the record: the wait names it, ends in time, and another site goes on."""
    with dns_street(stage, bind) as street, knot(stage.root / "behind", ZONES) as behind:
        both = {"nameservers": [street.server.endpoint, behind.endpoint], "timeout": "1s", "interval": "1s"}
        street.write(street.site("one", "one.test", "*.one.test"), propagation=both)
        stage.apply()
        words = street.failure("one")
        assert words.startswith("NotPropagated: not at every name server after 1 s: ")
        assert f"{behind.endpoint} does not have _acme-challenge.one.test yet" in words
        assert street.server.endpoint not in words
        assert street.server.query("_acme-challenge.one.test") == [], "what is in vain is taken away"


@pytest.mark.parametrize("mode", ["warn", "off"])
def test_the_ca_is_asked_all_the_same_where_the_switch_says_so(stage: Stage, mode: str) -> None:
    with dns_street(stage, bind) as street, knot(stage.root / "behind", ZONES) as behind:
        both = {"nameservers": [street.server.endpoint, behind.endpoint], "timeout": "1s", "mode": mode}
        street.write(street.site("one", "*.one.test"), propagation=both)
        messages = [one[3] for one in stage.outcomes(stage.settle()) if one[0] == "issue"]
        with stage.app(read_only=True) as app:
            events = {one.reason: one.message for one in app.store.events("one")}
        lacks = f"going on although {behind.endpoint} does not have _acme-challenge.one.test yet"
        warns = mode == "warn"
        assert (messages == [lacks], events.get("NotPropagated")) == (warns, lacks if warns else None)


@pytest.mark.parametrize("kind", ["dns-01", "dns-account-01", "dns-persist-01"])
def test_a_name_that_leaves_no_room_for_a_label(stage: Stage, kind: str) -> None:
    """It is a name itself, and no server's fault that its record would stand at none."""
    name = ".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 50, "one.test"])
    with dns_street(stage, knot) as street:
        street.write(street.site("one", name), type=kind, provider=None if "persist" in kind else street.rfc2136())
        stage.apply()
        words = street.failure("one")
        assert words.startswith(f"HostnameUnfit: {name} cannot be proven by DNS: its record would stand at a name of 2")
        assert street.left() == []


def test_a_zone_that_is_not_ours(stage: Stage) -> None:
    with dns_street(stage, bind) as street:
        street.write(street.site("one", "a.three.test"))
        stage.apply()
        assert street.failure("one").startswith("ZoneNotOurs: ")
        assert "has no zone that holds _acme-challenge.a.three.test" in street.failure("one")


@pytest.mark.parametrize(
    ("trick", "words"),
    [
        (lambda _query, _how: None, "DnsTimeout: the name server {at} did not answer"),
        (lambda query, _how: honest(query, rcode="SERVFAIL"), "DnsBroken: the name server {at} answered SERVFAIL to"),
        (lambda _query, _how: b"\xff" * 40, "DnsBroken: the name server {at} gave an unusable answer to"),
        (
            lambda query, _how: honest(query, rcode="REFUSED"),
            "ZoneNotOurs: the name server {at} has no zone that holds",
        ),
    ],
    ids=["silent", "servfail", "rubbish", "refused"],
)
def test_a_primary_that_is_of_no_use(stage: Stage, pebble: Pebble, trick: Trick, words: str) -> None:
    """One sentence that names it; nothing was written, the CA was told nothing, and the site backs off."""
    with crooked(trick) as server:
        street = DnsStreet(stage, cast("NameServer", server), pebble)
        street.write(street.site("one", "one.test"), provider=street.rfc2136(server=server.endpoint))
        reports = stage.apply()
    told = street.failure("one")
    assert told.startswith(words.format(at=server.endpoint)), told
    assert "_acme-challenge.one.test" in told
    assert held(reports[-1])["one", "Backoff"].until is not None
    assert street.left() == []


def test_a_person_publishes_between_two_runs(stage: Stage) -> None:
    """The same order and the same value are there again; what the person wrote is not touched."""
    with dns_street(stage, bind) as street:
        look = {"nameservers": [street.server.endpoint], "timeout": "1s"}
        street.write(street.site("one", "*.one.test"), provider={"type": "manual"}, propagation=look)
        stage.apply()
        words = street.failure("one")
        assert words.startswith("WaitingForSolve: publish _acme-challenge.one.test. 30 IN TXT ")
        value = words.split('"')[1]
        street.server.update("one.test", "add", "_acme-challenge.one.test", value)
        stage.shift = timedelta(minutes=1)
        (issued,) = [one for one in stage.apply()[0].outcomes if one.change.verb is Verb.ISSUE]
        ours = f'_acme-challenge.one.test. IN TXT "{value}"'
        assert issued.message == f"no longer needed, to be taken away by whoever published it: {ours}"
        stage.settle()
        assert street.server.query("_acme-challenge.one.test") == [value]
        assert street.left() == []


def test_an_old_order_has_all_its_time_to_spread(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is presented anew is waited for as long as is declared, from then on and not from the order's beginning."""
    monkeypatch.setattr("reconciler.challenges.dns.propagation._IN_THREAD", timedelta(seconds=0.5))
    with dns_street(stage, bind) as street, knot(stage.root / "behind", ZONES) as behind:
        both = {"nameservers": [street.server.endpoint, behind.endpoint], "timeout": "1m", "interval": "1s"}
        street.write(street.site("one", "one.test"), propagation=both)
        with pytest.raises(Crash):
            street.apply_until_settled()
        (value,) = street.server.query("_acme-challenge.one.test")
        stage.shift += timedelta(hours=2)
        stage.apply()
        assert street.failure("one").startswith("NotPropagated: "), "it stood there for two hours"
        assert street.server.query("_acme-challenge.one.test") == []
        street.later()
        late = Timer(2, behind.update, ("one.test", "add", "_acme-challenge.one.test", value))
        late.start()
        stage.settle()
        late.join()
