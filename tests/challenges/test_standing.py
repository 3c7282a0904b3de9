"""A value counts as gone only where everybody who would have it says that he has not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.standing import stands_nowhere
from reconciler.doors.dns_client import api as dns
from reconciler.model.desired import Dns01, ExecProvider, Propagation, Rfc2136, SecretRef, Tsig
from reconciler.model.observed import Undo
from tests.builders import SteadyClock
from tests.servers.crooked import crooked
from tests.servers.knot import knot
from tests.servers.zones import ALGORITHM, KEY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.zones import NameServer

CLOCK = SteadyClock()
TSIG = Tsig(KEY_NAME, ALGORITHM, SecretRef())
HOOK = ExecProvider(("/bin/false",))
NAME = "_acme-challenge.one.test"
LEFT = Undo("1" * 32, "a", "txt", "one.test", NAME, value="v", presented=CLOCK.now() - timedelta(hours=2))


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with knot(tmp_path_factory.mktemp("ns"), {"one.test": ()}) as server:
        yield server


@pytest.mark.parametrize("has", [True, False])
def test_an_address_family_that_this_machine_has_not_is_passed_over(
    server: NameServer, monkeypatch: pytest.MonkeyPatch, *, has: bool
) -> None:
    """Most zones have IPv6 servers too, and many machines no IPv6: nothing would ever be forgotten there."""
    asking = dns.ask

    def ask(endpoint: dns.Endpoint, name: str, kind: str) -> dns.Answer:
        if ":" in endpoint.address:
            raise dns.DnsFailed(dns.NO_ROUTE, "no IPv6 here")
        return asking(endpoint, name, kind)

    monkeypatch.setattr(dns, "ask", ask)
    six = "[2001:db8::53]:53"
    if has:
        server.update("one.test", "add", NAME, "v")
    for servers, gone in (((server.endpoint, six), not has), ((six,), False)):
        way = Dns01(name="w", provider=HOOK, propagation=Propagation(nameservers=servers))
        assert stands_nowhere(LEFT, [way], CLOCK) is gone
    server.update("one.test", "delete", NAME, "v")


def test_another_view_is_not_believed_where_the_declared_one_is_silent(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the machine's own resolver sees may be the inside of a split zone, where our value never was."""
    inside = dns.parse_endpoint(server.endpoint)
    monkeypatch.setattr(dns, "system_resolvers", lambda: (inside,))
    monkeypatch.setattr(dns, "name_servers", lambda _resolvers, _zone: (dns.NameServer("ns.one.test", inside),))
    assert stands_nowhere(LEFT, [], CLOCK), "all who can be found say so"
    with crooked(lambda _query, _how: None) as silent:
        way = Dns01(name="w", provider=Rfc2136(silent.endpoint, TSIG))
        assert not stands_nowhere(LEFT, [way], CLOCK)
