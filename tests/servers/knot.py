"""Knot DNS: an authoritative server that takes signed updates."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import program, running
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET, NameServer, answers, zone_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@contextmanager
def knot(
    directory: Path,
    zones: Mapping[str, Sequence[str]],
    *,
    address: str = LOOPBACK,
    ns: str | None = None,
    updates: str = "TXT",
) -> Iterator[NameServer]:
    """Run Knot with these zones and their further records.

    `ns` is the address that the NS records lead to; `updates` are the types that the key may change.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port(address)
    blocks = [
        f"server:\n  listen: {address}@{port}\n  rundir: {directory}\n",
        "  udp-workers: 1\n  tcp-workers: 2\n  background-workers: 1\n",
        f"database:\n  storage: {directory}\n",
        "log:\n  - target: stderr\n    any: info\n",
        f"key:\n  - id: {KEY_NAME}\n    algorithm: {ALGORITHM}\n    secret: {SECRET}\n",
        f"acl:\n  - id: updates\n    key: {KEY_NAME}\n    action: update\n    update-type: [{updates}]\n",
        f'template:\n  - id: default\n    storage: {directory}\n    file: "%s.zone"\n    acl: updates\n',
        "    zonefile-sync: -1\n    journal-content: all\n    zonefile-load: whole\n",
        "zone:\n" + "".join(f"  - domain: {zone}\n" for zone in zones),
    ]
    for zone, records in zones.items():
        (directory / f"{zone}.zone").write_text(zone_text(zone, records, ns or address))
    config = directory / "knot.conf"
    config.write_text("".join(blocks))
    first = next(iter(zones))
    with running(
        [program("knotd"), "-c", str(config)], log=directory / "knot.log", ready=lambda: answers(address, port, first)
    ):
        yield NameServer(address, port, directory)
