from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.propagation import Record, Watcher
from reconciler.doors.dns_client import api as dns
from reconciler.errors import NamesFailed, Waiting
from reconciler.model.desired import Propagation
from reconciler.model.names import Switch
from tests.builders import SteadyClock
from tests.servers.bind import bind
from tests.servers.crooked import crooked, honest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.zones import NameServer

NAME = "_acme-challenge.one.test"
SHORT = Propagation(timeout=timedelta(seconds=0.5), interval=timedelta(seconds=0.1))


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with bind(tmp_path_factory.mktemp("bind"), {"one.test": ("_acme-challenge TXT here",)}) as server:
        yield server


def at(endpoint: str, name: str = "") -> dns.NameServer:
    return dns.NameServer(name, dns.parse_endpoint(endpoint))


def record(*servers: dns.NameServer, value: str = "here", name: str = NAME, minimum: int = 0) -> Record:
    return Record(name, lambda found: found == value, servers, "one.test", minimum)


def watcher(said: list[str], rules: Propagation = SHORT, clock: SteadyClock | None = None) -> Watcher:
    return Watcher(rules, clock or SteadyClock(), said.append)


def test_who_has_it_is_not_waited_for(server: NameServer) -> None:
    said, clock = list[str](), SteadyClock()
    assert watcher(said, clock=clock).wait([record(at(server.endpoint))]) == []
    assert (said, clock.waits) == ([], [])


def test_many_names_are_asked_for_side_by_side() -> None:
    """Twenty names at a server that says nothing cost what one costs."""
    names = [f"_acme-challenge.h{number}.one.test" for number in range(20)]
    with crooked(lambda _query, _how: None) as server:
        start = time.monotonic()
        lacks = watcher([]).lacking([record(at(server.endpoint), name=name) for name in names])
        assert time.monotonic() - start < 8
    assert [str(lack) for lack in lacks] == [f"{server.endpoint} does not answer"] * 20


def test_the_wait_tells_who_lacks_it_and_goes_on_as_soon_as_nobody_does() -> None:
    rounds = iter(range(100))

    def late(query: object, _how: str) -> bytes:
        found = (f"{NAME} 30 TXT here",) if next(rounds) > 2 else (f"{NAME} 30 TXT stale",)
        return honest(query, *found)  # type: ignore[arg-type]

    with crooked(late) as server:
        said: list[str] = []
        rules = Propagation(timeout=timedelta(seconds=5), interval=timedelta(seconds=0.1))
        assert watcher(said, rules).wait([record(at(server.endpoint, "ns1.one.test"))]) == []
    who = f"ns1.one.test ({server.endpoint})"
    assert said == [f"waiting for the name servers: {who} does not have {NAME} yet, but 1 of others"]


def test_our_own_other_value_is_nobody_elses() -> None:
    """A name and its wildcard have a value each at one name; the wrong one beside them is told."""
    found = (f"{NAME} 30 TXT here", f"{NAME} 30 TXT stale")
    with crooked(lambda query, _how: honest(query, *found)) as server:
        records = [record(at(server.endpoint), value=value) for value in ("here", "there")]
        one = watcher([])
        for _ in range(2):
            (lack,) = one.lacking(records)
            assert str(lack) == f"{server.endpoint} does not have {NAME} yet, but 1 of others"
            records = [lacking for lacking in records if lacking.fits is lack.fits]


def test_negative_caching_is_told_where_it_delays(server: NameServer) -> None:
    said: list[str] = []
    records = [record(at(server.endpoint), value="never", minimum=3600)]
    one = watcher(said)
    lacks = one.wait(records)
    with pytest.raises(NamesFailed, match=r"for 3600 s, the SOA minimum of one\.test"):
        one.judge(records, lacks, one._clock.now() - timedelta(hours=1))
    assert "a resolver that asked too early goes on without it for 3600 s" in said[0]


def test_what_becomes_of_a_wait_in_vain(server: NameServer) -> None:
    """Within the timeout the same order goes on later; after it the names that lack something fail; `warn` goes on."""
    records = [record(at(server.endpoint)), record(at(server.endpoint), name="_acme-challenge.two.one.test")]
    clock, said = SteadyClock(), list[str]()
    rules = Propagation(timeout=timedelta(minutes=2), interval=timedelta(seconds=2))
    lacks = watcher(said).lacking(records)
    with pytest.raises(Waiting) as wait:
        watcher(said, rules, clock).judge(records, lacks, clock.now())
    assert (wait.value.reason, wait.value.until > clock.now()) == ("InFlight", True)
    with pytest.raises(NamesFailed) as failure:
        watcher(said, rules, clock).judge(records, lacks, clock.now() - timedelta(minutes=3))
    assert [one.hostname for one in failure.value.failures] == ["_acme-challenge.two.one.test"]
    warns = Propagation(Switch.WARN, timedelta(seconds=1))
    watcher(said, warns, clock).judge(records, lacks, clock.now() - timedelta(minutes=3))
    assert said[-1].startswith(f"going on although {server.endpoint} does not have")


def test_a_stopping_process_waits_no_more(server: NameServer) -> None:
    clock = SteadyClock()
    clock.stop()
    with pytest.raises(Waiting, match="the process stops"):
        watcher([], Propagation(), clock).wait([record(at(server.endpoint), value="never")])


def test_an_address_family_that_this_machine_has_not_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA asks there, we cannot; where there is no other, that is told."""

    def ask(server: dns.Endpoint, _name: str, _kind: str) -> dns.Answer:
        if ":" in server.address:
            raise dns.DnsFailed(dns.NO_ROUTE, "no IPv6 here")
        return dns.Answer("NOERROR", ("here",))

    monkeypatch.setattr(dns, "ask", ask)
    four, six = at("192.0.2.1:53"), at("[2001:db8::53]:53")
    assert watcher([]).lacking([record(four, six)]) == []
    assert len(watcher([]).lacking([record(six)])) == 1


@pytest.mark.parametrize(("rcode", "words"), [("SERVFAIL", "answers SERVFAIL for"), ("REFUSED", "answers REFUSED for")])
def test_a_failing_server_is_told(rcode: str, words: str) -> None:
    with crooked(lambda query, _how: honest(query, rcode=rcode)) as server:
        (lack,) = watcher([]).lacking([record(at(server.endpoint))])
    assert words in str(lack)
