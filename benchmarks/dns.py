"""`dns`: wildcard certificates by dns-01 over RFC 2136, beside as many bare signed updates plus as many bare orders."""

from __future__ import annotations

import base64
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Final

from dns.query import udp
from dns.rcode import NOERROR
from dns.tsig import Key
from dns.update import UpdateMessage

from benchmarks import raw
from benchmarks.ground import Ground, crew, manifest, room
from benchmarks.table import Row
from reconciler.challenges.dns.means import Means
from reconciler.challenges.solvers import Solvers
from reconciler.model.desired import Dns01, Rfc2136, SecretRef, Tsig
from tests.builders import MemoryDesk, request_for
from tests.rig import rig
from tests.servers.bind import bind
from tests.servers.challtestsrv import challtestsrv
from tests.servers.pebble import Options, pebble
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

CERTIFICATES: Final = 100
ROUNDS: Final = 5
LINES: Final = 4
ZONE: Final = "example.com"
_GOAL: Final = 0.7
_VALUE: Final = "a-value-of-forty-three-characters-or-so-----"


def _apply(root: Path, ca: Pebble, server: NameServer) -> float:
    """Let `apply` do it, from manifests to a store on disk; give the seconds."""
    ground = Ground(root)
    root.mkdir()
    key = root / "tsig.key"
    key.write_text(SECRET)
    tsig = {"name": KEY_NAME, "algorithm": ALGORITHM, "secret": {"file": str(key)}}
    provider = {"type": "rfc2136", "server": server.endpoint, "tsig": tsig}
    issuer = {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle)}
    ground.declare(
        0, {("Issuer", "pebble"): issuer, ("ChallengeMethod", "zone"): {"type": "dns-01", "provider": provider}}
    )
    for number in range(CERTIFICATES):
        spec = {"issuers": ["pebble"], "challenges": [{"method": "zone"}], "hostnames": [f"*.h{number}.{ZONE}"]}
        (ground.manifests / "sites" / f"s{number}.yaml").write_text(manifest("Site", f"s{number}", spec))
    began = time.perf_counter()
    issued = ground.converge(LINES)
    spent = time.perf_counter() - began
    if issued != CERTIFICATES:
        raise RuntimeError(f"{issued} of {CERTIFICATES} were issued")
    return spent


def _issuer(root: Path, ca: Pebble, server: NameServer) -> float:
    """Let our issuer and solver do it with desks in memory; give the seconds."""
    provider = Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig")))
    method = Dns01(name="zone", provider=provider)
    root.mkdir()
    with rig(root, ca.directory, ca.bundle, ca.http_port) as machine:
        machine.secrets["tsig"] = SECRET.encode()
        means = Means(machine.clock, machine.means.read_secret)
        ways = Solvers(machine.store, machine.ports, means)
        issuer = machine.registered()

        def one(number: int) -> None:
            issuer.obtain(request_for(f"*.i{number}.{ZONE}", methods=(method,)), MemoryDesk(solvers=ways))

        began = time.perf_counter()
        with crew(LINES) as pool:
            list(pool.map(one, range(CERTIFICATES)))
        return time.perf_counter() - began


def _updates(server: NameServer) -> float:
    """Add and delete as many values by dnspython and nothing else, by UDP as ours does; give the seconds."""
    signer = Key(f"{KEY_NAME}.", base64.b64decode(SECRET), f"{ALGORITHM}.")

    def send(change: UpdateMessage) -> None:
        answer = udp(change, server.address, timeout=5, port=server.port)
        if answer.rcode() != NOERROR:
            raise RuntimeError(str(answer))

    def one(number: int) -> None:
        name = f"_acme-challenge.bare{number}"
        added = UpdateMessage(ZONE, keyring=signer)
        added.add(name, 30, "TXT", _VALUE)
        send(added)
        deleted = UpdateMessage(ZONE, keyring=signer)
        deleted.delete(name, "TXT", _VALUE)
        send(deleted)

    began = time.perf_counter()
    with crew(LINES) as pool:
        list(pool.map(one, range(CERTIFICATES)))
    return time.perf_counter() - began


def _orders(root: Path, batch: int) -> float:
    """Let the raw client order as many single names by http-01; give the seconds."""
    root.mkdir()
    with challtestsrv(root) as dns, pebble(root, dns.dns, Options(retry_after=(0, 0))) as ca:
        names = [f"r{batch}-{number}.{ZONE}" for number in range(CERTIFICATES)]
        return raw.run(ca.directory, ca.bundle, ca.http_port, names, LINES)[0]


def rows() -> Iterator[Row]:
    """Measure; each round is ours, bare updates, bare orders, each on a fresh Pebble."""
    found: list[tuple[float, float, float, float]] = []
    with ExitStack() as stack:
        root = stack.enter_context(room())
        server = stack.enter_context(bind(root / "bind", {ZONE: ()}))
        for batch in range(ROUNDS):
            folder = root / f"ca{batch}"
            folder.mkdir()
            with pebble(folder, server.endpoint, Options(retry_after=(0, 0))) as ca:
                issuer = _issuer(root / f"issuer{batch}", ca, server)
                apply = _apply(root / f"apply{batch}", ca, server)
            found.append((issuer, apply, _updates(server), _orders(root / f"raw{batch}", batch)))
    issuer, apply, updates, orders = (median(values) for values in zip(*found, strict=True))
    for what, ours, goal in (("issuer, desk in memory", issuer, _GOAL), ("whole apply, store on disk", apply, None)):
        ratio = (updates + orders) / ours
        yield Row(
            f"wildcard certificates over RFC 2136, {LINES} at once: {what}",
            f"{ROUNDS} x {CERTIFICATES}",
            f"{CERTIFICATES / ours:.0f}/s",
            f"bare updates {2 * CERTIFICATES / updates:.0f}/s, then bare orders {CERTIFICATES / orders:.0f}/s",
            ratio,
            "" if goal is None else f">= {goal}",
            None if goal is None else ratio >= goal,
        )
