"""Unbound: a resolver in front of the authoritative servers, which follows aliases for a CA that does not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import program, running
from tests.servers.zones import answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def unbound(directory: Path, stubs: Mapping[str, str], *, address: str = LOOPBACK) -> Iterator[str]:
    """Run a resolver that asks `ADDRESS:PORT` for each zone, and keeps nothing; gives its own `ADDRESS:PORT`."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port(address)
    lines = [
        "server:",
        f"  interface: {address}@{port}",
        f'  directory: "{directory}"',
        '  chroot: ""',
        '  username: ""',
        '  pidfile: ""',
        "  use-syslog: no",
        "  do-daemonize: no",
        "  num-threads: 1",
        "  do-ip6: no",
        "  do-not-query-localhost: no",
        '  module-config: "iterator"',
        "  cache-max-ttl: 0",
        "  cache-max-negative-ttl: 0",
        "  access-control: 127.0.0.0/8 allow",
        *(f'  local-zone: "{zone}." nodefault' for zone in ("test", *stubs)),
        "remote-control:",
        "  control-enable: no",
    ]
    for zone, endpoint in stubs.items():
        server, _, its = endpoint.rpartition(":")
        lines += ["stub-zone:", f'  name: "{zone}."', f"  stub-addr: {server}@{its}", "  stub-no-cache: yes"]
    config = directory / "unbound.conf"
    config.write_text("\n".join(lines) + "\n")
    first = next(iter(stubs))
    with running(
        [program("unbound"), "-d", "-c", str(config)],
        log=directory / "unbound.log",
        ready=lambda: answers(address, port, first),
    ):
        yield f"{address}:{port}"
