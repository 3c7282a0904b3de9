"""pebble-challtestsrv: the DNS that Pebble asks. Every name is 127.0.0.1 until a test says otherwise."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.https import request
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import listens, program, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Challtestsrv:
    """A running challenge server; `dns` is `ADDRESS:PORT`, answering over UDP and TCP."""

    dns: str
    management: str

    def set_txt(self, name: str, value: str) -> None:
        """Add a TXT record at `name`."""
        self.post("set-txt", host=_absolute(name), value=value)

    def clear_txt(self, name: str) -> None:
        """Remove all TXT records at `name`."""
        self.post("clear-txt", host=_absolute(name))

    @contextmanager
    def failing(self, hostname: str) -> Iterator[None]:
        """Let every query for `hostname` end in SERVFAIL until the block ends."""
        self.post("set-servfail", host=_absolute(hostname))
        try:
            yield
        finally:
            self.post("clear-servfail", host=_absolute(hostname))

    @contextmanager
    def leading(self, hostname: str, *addresses: str) -> Iterator[None]:
        """Let `hostname` have these IPv4 addresses until the block ends."""
        self.post("add-a", host=_absolute(hostname), addresses=list(addresses))
        try:
            yield
        finally:
            self.post("clear-a", host=_absolute(hostname))

    def post(self, verb: str, **fields: object) -> None:
        """Use any verb of the management interface."""
        answer = request(f"{self.management}/{verb}", method="POST", body=json.dumps(fields).encode())
        assert answer.status == 200, f"{verb}: {answer.status} {answer.body!r}"


def _absolute(name: str) -> str:
    return name if name.endswith(".") else f"{name}."


@contextmanager
def challtestsrv(directory: Path, *, address: str = LOOPBACK) -> Iterator[Challtestsrv]:
    """Run the DNS part only: the servers under test answer http-01 and tls-alpn-01 themselves. No name has an AAAA."""
    directory.mkdir(parents=True, exist_ok=True)
    dns, management = free_port(address), free_port(address)
    argv = [
        program("pebble-challtestsrv"),
        *("-dnsserver", f"{address}:{dns}"),
        *("-management", f"{address}:{management}"),
        *("-defaultIPv4", LOOPBACK, "-defaultIPv6", ""),
        *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""),
    ]
    with running(
        argv,
        log=directory / "challtestsrv.log",
        ready=lambda: listens(address, dns) and listens(address, management),
    ):
        yield Challtestsrv(dns=f"{address}:{dns}", management=f"http://{address}:{management}")
