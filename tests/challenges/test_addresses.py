"""Address records wait for every name server, as TXT records do: one that is away holds them up and is named."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.addresses import Addresses
from reconciler.challenges.dns.means import Means
from reconciler.errors import Failed, Waiting
from reconciler.model.desired import Dns01, Propagation, Rfc2136, SecretRef, Tsig
from reconciler.model.names import Switch
from reconciler.model.observed import Undo
from reconciler.model.text import Secret
from tests.builders import SteadyClock
from tests.servers.crooked import crooked, honest
from tests.servers.knot import knot
from tests.servers.ports import free_port
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dns.message

    from tests.servers.zones import NameServer

SECOND = timedelta(seconds=1)
SHORT = timedelta(seconds=0.1)


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with knot(tmp_path_factory.mktemp("knot"), {"one.test": ()}, updates="TXT, A, AAAA") as server:
        yield server


def addresses(
    server: NameServer, *others: str, clock: SteadyClock | None = None, mode: str = "enforce", found: bool = False
) -> Addresses:
    """Give what publishes there; the name servers are these, or `found` by their NS records."""
    provider = Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig")), "one.test")
    rules = Propagation(Switch(mode), SECOND, SHORT, nameservers=() if found else (server.endpoint, *others))
    means = Means(clock or SteadyClock(), lambda _ref, _field: Secret(SECRET.encode()))
    return Addresses(Dns01(name="zone", provider=provider, propagation=rules), means)


def test_a_stop_while_it_spreads_is_no_failure(server: NameServer) -> None:
    clock = SteadyClock()
    clock.stop()
    book = addresses(server, clock=clock)
    thing = book.prepare("site", "never.one.test", "192.0.2.1")
    with pytest.raises(Waiting, match="the process stops") as wait:
        book.settle([thing], lambda _text: None)
    assert wait.value.reason == "InFlight"


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_a_name_server_that_is_away_is_waited_for_and_named(server: NameServer, mode: str) -> None:
    away = f"127.0.0.1:{free_port()}"
    book, said = addresses(server, away, mode=mode), list[str]()
    thing = book.prepare("site", f"{mode}.one.test", "192.0.2.1")
    book.publish(thing, 30)
    start = time.monotonic()
    if mode == "enforce":
        with pytest.raises(Failed, match=f"{away} cannot be reached") as failure:
            book.settle([thing], said.append)
        assert failure.value.reason == "NotPropagated"
    else:
        book.settle([thing], said.append)
        assert said == [f"going on although not at every name server: {away} cannot be reached"]
    assert time.monotonic() - start > 0.9, "it may come back"


def test_a_name_server_that_comes_back_in_time_is_no_failure(server: NameServer) -> None:
    answers = iter(["SERVFAIL", "REFUSED"])

    def late(query: dns.message.Message, _how: str) -> bytes:
        rcode = next(answers, "NOERROR")
        return honest(query, *(["late.one.test 30 A 192.0.2.1"] if rcode == "NOERROR" else []), rcode=rcode)

    with crooked(late) as other:
        book = addresses(server, other.endpoint)
        thing = book.prepare("site", "late.one.test", "192.0.2.1")
        book.publish(thing, 30)
        book.settle([thing], lambda _text: None)


@pytest.mark.parametrize("mode", ["enforce", "warn"])
def test_only_what_warns_goes_on_where_no_name_servers_are_found(server: NameServer, mode: str) -> None:
    book, said = addresses(server, mode=mode, found=True), list[str]()
    thing = Undo("0" * 32, "site", "address", "elsewhere.test", "a.elsewhere.test", value="192.0.2.1")
    if mode == "enforce":
        with pytest.raises(Failed, match=r"elsewhere\.test"):
            book.settle([thing], said.append)
    else:
        book.settle([thing], said.append)
        assert said[0].startswith("not watching the address records: ")
