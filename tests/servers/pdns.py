"""PowerDNS with SQLite: an authoritative server that takes signed updates, and has an HTTP API."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import listens, program, running
from tests.servers.zones import ALGORITHM, KEY_NAME, MINIMUM, SECRET, NameServer, answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

API_KEY = "an-api-key-of-the-tests"


@dataclass(frozen=True, slots=True)
class Pdns(NameServer):
    """A running PowerDNS."""

    api: str


@contextmanager
def pdns(directory: Path, zones: Mapping[str, Sequence[str]], *, address: str = LOOPBACK) -> Iterator[Pdns]:
    """Run PowerDNS with these zones; a further record is `NAME TYPE CONTENT`, the content absolute."""
    directory.mkdir(parents=True, exist_ok=True)
    port, web = free_port(address), free_port(address)
    database = directory / "pdns.db"
    settings = {
        "launch": "gsqlite3",
        "gsqlite3-database": database,
        "gsqlite3-pragma-synchronous": 0,
        "local-address": address,
        "local-port": port,
        "socket-dir": directory,
        "setuid": "",
        "setgid": "",
        "dnsupdate": "yes",
        "allow-dnsupdate-from": "127.0.0.0/8",
        "cache-ttl": 0,
        "query-cache-ttl": 0,
        "negquery-cache-ttl": 0,
        "zone-cache-refresh-interval": 0,
        "receiver-threads": 1,
        "api": "yes",
        "api-key": API_KEY,
        "webserver-address": address,
        "webserver-port": web,
        "webserver-allow-from": "127.0.0.0/8",
    }
    (directory / "pdns.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    schema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
    subprocess.run([program("sqlite3"), str(database), f".read {schema}"], check=True, capture_output=True)
    _tool(directory, "import-tsig-key", KEY_NAME, ALGORITHM, SECRET)
    for zone, records in zones.items():
        _fill(directory, zone, records, address)
    first = next(iter(zones))
    argv = [program("pdns_server"), f"--config-dir={directory}", "--daemon=no", "--guardian=no", "--write-pid=no"]
    with running(
        argv,
        log=directory / "pdns.log",
        ready=lambda: answers(address, port, first) and listens(address, web),
    ):
        yield Pdns(address, port, directory, f"http://{address}:{web}")


def _fill(directory: Path, zone: str, records: Sequence[str], address: str) -> None:
    _tool(directory, "create-zone", zone, f"ns.{zone}")
    _tool(directory, "replace-rrset", zone, "@", "SOA", "30", f"ns.{zone}. host.{zone}. 1 60 60 3600 {MINIMUM}")
    _tool(directory, "add-record", zone, "ns", "A", "30", address)
    for record in records:
        name, kind, content = record.split(" ", 2)
        _tool(directory, "add-record", zone, name, kind, "30", content)
    _tool(directory, "set-meta", zone, "TSIG-ALLOW-DNSUPDATE", KEY_NAME)


def _tool(directory: Path, *words: str) -> None:
    subprocess.run([program("pdnsutil"), f"--config-dir={directory}", *words], check=True, capture_output=True)
