"""Where names lead, by name servers that misbehave."""

from __future__ import annotations

import time

import dns.flags
import dns.message
import pytest

from reconciler.doors.addresses import global_addresses
from reconciler.doors.dns_client import _asking
from reconciler.errors import Failed
from reconciler.execute.preflight.server import check_email
from reconciler.execute.probes.names import Names
from reconciler.execute.probes.routing import own_addresses, route_of
from reconciler.model.desired import Machine
from reconciler.model.findings import Severity
from reconciler.model.names import Hostname
from tests.servers.crooked import crooked, honest
from tests.servers.ports import free_port


def _broken_signature(query: dns.message.Message, _how: str) -> bytes:
    """A validating resolver and a zone whose signatures have expired."""
    if not query.flags & dns.flags.CD:
        return honest(query, rcode="SERVFAIL")
    return honest(query, "signed.example.com 30 A 192.0.2.1")


def test_a_broken_signature_is_told_from_a_broken_server() -> None:
    with crooked(_broken_signature) as server, pytest.raises(Failed) as told:
        Names([server.endpoint]).addresses("signed.example.com")
    assert told.value.reason == "DnssecBroken"
    with crooked(lambda query, _: honest(query, rcode="SERVFAIL")) as server, pytest.raises(Failed) as told:
        Names([server.endpoint]).addresses("signed.example.com")
    assert told.value.reason == "DnsBroken"


def test_a_resolver_that_cannot_tell_of_mail_is_a_warning() -> None:
    """A domain may take mail although a small resolver knows no MX: that is no fault of the contact."""
    with crooked(lambda query, _: honest(query, rcode="NOTIMP")) as server:
        [finding] = check_email(Names([server.endpoint]), "me@example.com")
    assert (finding.severity, "NOTIMP" in finding.seen) == (Severity.WARNING, True)


def test_aliases_are_followed_where_the_server_does_not_and_circles_end() -> None:
    chain = {
        "a.example.com.": "a.example.com 30 CNAME b.example.com.",
        "b.example.com.": "b.example.com 30 A 192.0.2.1",
    }
    with crooked(lambda query, _: honest(query, chain[str(query.question[0].name)])) as server:
        assert Names([server.endpoint]).addresses("a.example.com").addresses == {"192.0.2.1"}
    circle = {"a.example.com.": "b", "b.example.com.": "a"}
    with crooked(
        lambda query, _: honest(
            query, f"{str(query.question[0].name)[:-1]} 30 CNAME {circle[str(query.question[0].name)]}.example.com."
        )
    ) as server:
        with pytest.raises(Failed) as told:
            Names([server.endpoint]).addresses("a.example.com")
        assert told.value.reason == "DnsBroken"
        assert len(server.asked) < 30


def test_a_resolver_that_is_gone_is_not_asked_for_each_name() -> None:
    names = Names([f"127.0.0.1:{free_port()}"])
    began = time.monotonic()
    for number in range(50):
        route = route_of(names, Hostname(f"h{number}.example.com"), Machine(), frozenset({"192.0.2.1"}))
        assert route.how == "unanswered"
    assert time.monotonic() - began < 25


def _dead_zone(query: dns.message.Message, _how: str) -> bytes | None:
    """A resolver that goes on asking for names below dead.example for longer than anybody waits."""
    name = str(query.question[0].name)
    return (
        None
        if name.endswith("dead.example.")
        else honest(query, *([f"{name[:-1]} 30 A 192.0.2.1"] if name[1:] else []))
    )


def test_names_that_nobody_answers_for_keep_no_other_from_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    _impatient(monkeypatch)
    with crooked(_dead_zone) as server:
        names = Names([server.endpoint])
        for number in range(7):
            with pytest.raises(Failed) as told:
                names.addresses(f"h{number}.dead.example")
            assert told.value.reason == "DnsTimeout"
        assert names.addresses("alive.example").addresses == {"192.0.2.1"}
        assert sum(asked == "udp . NS" for asked in server.asked) == 2


def test_a_resolver_that_is_gone_is_left_out_and_the_next_one_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    _impatient(monkeypatch)
    with crooked(lambda _query, _how: None) as silent, crooked(_dead_zone) as server:
        names = Names([silent.endpoint, server.endpoint])
        for number in range(6):
            assert names.addresses(f"h{number}.example").addresses == {"192.0.2.1"}
        assert {asked.split()[1] for asked in silent.asked} == {"h0.example.", "h1.example.", "."}


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asking, "SECONDS", 0.3)
    monkeypatch.setattr(_asking, "_UDP_TRIES", (0.1,))


def test_addresses_as_hostnames_are_compared_themselves() -> None:
    machine = Machine(addresses=("2001:0db8::0001", "192.0.2.1"))
    names, own = Names(["127.0.0.1:1"]), own_addresses(machine)
    assert route_of(names, Hostname("2001:db8::1"), machine, own).how == "here"
    assert route_of(names, Hostname("192.0.2.2"), machine, own).how == "elsewhere"
    assert route_of(names, Hostname("192.0.2.2"), Machine(), frozenset()).how == "unknown"


def test_a_family_of_which_no_address_is_known_is_judged_only_where_a_person_says_so() -> None:
    names, six = Names(["127.0.0.1:1"]), frozenset({"2001:db8::1"})
    assert route_of(names, Hostname("192.0.2.2"), Machine(), six).how == "unknown"
    assert route_of(names, Hostname("2001:db8::2"), Machine(), six).how == "elsewhere"
    assert route_of(names, Hostname("192.0.2.2"), Machine(addresses=tuple(six)), six).how == "elsewhere"


def test_the_machines_addresses_are_global_ones() -> None:
    assert not any(address.startswith(("127.", "10.", "192.168.", "fe80:")) for address in global_addresses())
