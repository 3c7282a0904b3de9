"""Address records wait for every name server, as TXT records do: one that is away holds them up and is named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.addresses import Addresses
from reconciler.challenges.dns.means import Means
from reconciler.errors import Waiting
from reconciler.model.desired import Dns01, Propagation, Rfc2136, SecretRef, Tsig
from reconciler.model.names import Switch
from reconciler.model.text import Secret
from tests.builders import SteadyClock
from tests.servers.knot import knot
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.zones import NameServer

SECOND = timedelta(seconds=1)
SHORT = timedelta(seconds=0.1)


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with knot(tmp_path_factory.mktemp("knot"), {"one.test": ()}, updates="TXT, A, AAAA") as server:
        yield server


def addresses(server: NameServer, *others: str, clock: SteadyClock | None = None, mode: str = "enforce") -> Addresses:
    provider = Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig")), "one.test")
    rules = Propagation(Switch(mode), SECOND, SHORT, nameservers=(server.endpoint, *others))
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
