from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.journeys.dns_street import DnsStreet
from tests.servers.bind import bind
from tests.servers.knot import knot
from tests.servers.pdns import pdns
from tests.servers.pebble import pebble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.servers.zones import NameServer

    Make = Callable[[Path, dict[str, tuple[str, ...]]], AbstractContextManager[NameServer]]

ZONES: dict[str, tuple[str, ...]] = {"one.test": (), "two.test": ()}


@contextmanager
def dns_street(stage: Stage, make: Make, zones: dict[str, tuple[str, ...]] | None = None) -> Iterator[DnsStreet]:
    with make(stage.root / "ns", zones or ZONES) as server, pebble(stage.root, server.endpoint) as ca:
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
