"""`issuing`: single-name orders against Pebble, beside the raw client; then with 150 ms added to every answer."""

from __future__ import annotations

import itertools
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import raw
from benchmarks.ground import Ground, crew, room
from benchmarks.processes import ROOT
from benchmarks.table import Row
from reconciler.errors import CertwrightError
from tests.rig import rig
from tests.servers.challtestsrv import challtestsrv
from tests.servers.pebble import Options, Pebble, pebble
from tests.servers.ports import free_port
from tests.servers.processes import listens, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORDERS: Final = 300
ROUNDS: Final = 3
LINES: Final = 4
SLOW_ORDERS: Final = 200
SLOW_WORKERS: Final = 32
DELAY: Final = 0.15
_CPU: Final = 4
_RATE: Final = 10
_SHARE: Final = 0.5
_STALLS: Final = 5


@dataclass
class Bench:
    """Pebble, the directory by which clients see it, and a folder."""

    pebble: Pebble
    directory: str
    bundle: Path
    root: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def raw(self) -> tuple[float, float]:
        """Let the raw client do it; give orders a second and CPU milliseconds an order."""
        batch = next(self.numbers)
        names = [f"r{batch}-{number}.example.com" for number in range(ORDERS)]
        wall, cpu = raw.run(self.directory, self.bundle, self.pebble.http_port, names, LINES)
        return ORDERS / wall, cpu * 1000 / ORDERS

    def keeping(self) -> tuple[float, float]:
        """Let the raw client do it, and keep on disk what no client may lose."""
        batch = next(self.numbers)
        names = [f"k{batch}-{number}.example.com" for number in range(ORDERS)]
        keep = self._folder(batch)
        wall, cpu = raw.run(self.directory, self.bundle, self.pebble.http_port, names, LINES, keep)
        return ORDERS / wall, cpu * 1000 / ORDERS

    def issuer(self) -> tuple[float, float]:
        """Let our issuer do it with desks in memory."""
        batch = next(self.numbers)
        machine = rig(self._folder(batch), self.directory, self.bundle, self.pebble.http_port)
        with machine as made, crew(LINES) as pool:
            issuer = made.registered()

            def one(number: int) -> None:
                issuer.obtain(made.request(f"i{batch}-{number}.example.com"), made.desk())

            wall, cpu = time.perf_counter(), time.process_time()
            list(pool.map(one, range(ORDERS)))
            return ORDERS / (time.perf_counter() - wall), (time.process_time() - cpu) * 1000 / ORDERS

    def apply(self, orders: int = ORDERS, workers: int = LINES) -> tuple[float, float]:
        """Let `apply` do it from manifests to a store on disk.

        As with the raw client, the account is registered and all modules are loaded before the clock runs.
        """
        folder = self._folder(next(self.numbers))
        ground = Ground(folder)
        issuer = {"type": "acme", "directory": self.directory, "caBundle": str(self.bundle)}
        method = {"type": "http-01", "listener": {"port": self.pebble.http_port}, "preflight": {"pointsHere": "off"}}
        own = {"issuers": ["pebble"], "challenges": [{"method": "own"}]}
        ground.declare(1, {("Issuer", "pebble"): issuer, ("ChallengeMethod", "own"): method}, **own)
        ground.converge(workers)
        for number in range(1, orders + 1):
            ground.write_site(number, **own)
        wall, cpu = time.perf_counter(), time.process_time()
        issued = ground.converge(workers)
        spent = time.perf_counter() - wall, (time.process_time() - cpu) * 1000 / orders
        if issued != orders:
            raise RuntimeError(f"{issued} of {orders} were issued")
        return orders / spent[0], spent[1]

    def _folder(self, batch: int) -> Path:
        folder = self.root / str(batch)
        folder.mkdir()
        return folder


@contextmanager
def _bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        root = stack.enter_context(room())
        dns = stack.enter_context(challtestsrv(root))
        server = stack.enter_context(pebble(root, dns.dns, Options(retry_after=(0, 0))))
        yield Bench(server, server.directory, server.bundle, root)


def _stalled(bench: Bench) -> bool:
    """Tell whether Pebble answers no order any more: orders in flight at once can lock it up for good."""
    try:
        raw.run(bench.pebble.directory, bench.bundle, bench.pebble.http_port, ["probe.example.com"], 1)
    except TimeoutError:
        return True
    return False


def _measured(side: Callable[[Bench], tuple[float, float]], stalls: list[str]) -> tuple[float, float]:
    """Measure one side on a Pebble of its own; where Pebble stalled, again on a new one."""
    while True:
        with _bench() as bench:
            try:
                return side(bench)
            except (RuntimeError, TimeoutError, CertwrightError):
                if len(stalls) >= _STALLS or not _stalled(bench):
                    raise
                stalls.append(side.__name__)


@contextmanager
def _slow(bench: Bench) -> Iterator[Bench]:
    """Put the slow front before it."""
    port, identity = free_port(), bench.pebble.identity
    argv = (
        *(sys.executable, "-m", "benchmarks.slow_front", "--port", str(port), "--ca", str(bench.pebble.port)),
        *("--bundle", str(bench.bundle), "--certificate", str(identity.certificate), "--key", str(identity.key)),
        *("--delay", str(DELAY)),
    )
    ready = lambda: listens("127.0.0.1", port)  # noqa: E731
    with running(argv, log=bench.root / "front.log", ready=ready, env={"PYTHONPATH": str(ROOT)}):
        yield Bench(bench.pebble, f"https://127.0.0.1:{port}/dir", bench.bundle, bench.root, bench.numbers)


def _far(bench: Bench) -> tuple[float, float]:
    with _slow(bench) as far:
        return far.apply(SLOW_ORDERS, SLOW_WORKERS)


def rows() -> Iterator[Row]:
    """Measure; each round is raw, raw with files, issuer, apply, each on a fresh Pebble."""
    stalls: list[str] = []
    sides = (Bench.raw, Bench.keeping, Bench.issuer, Bench.apply)
    found = [[_measured(side, stalls) for side in sides] for _ in range(ROUNDS)]
    each = ([median(values) for values in zip(*side, strict=True)] for side in zip(*found, strict=True))
    floor, kept, issuer, apply = each
    n = f"{ROUNDS} x {ORDERS}"
    compared = (
        ("issuer, nothing on disk", issuer, "raw client", floor, True),
        ("whole apply, store on disk", apply, "raw client", floor, False),
        ("whole apply, store on disk", apply, "raw client that keeps URL, key, chain", kept, True),
    )
    for what, ours, beside, yardstick, counts in compared:
        ratio = ours[0] / yardstick[0]
        yield Row(
            f"ACME orders at {LINES} connections: {what}",
            n,
            f"{ours[0]:.0f}/s, {ours[1]:.1f} ms CPU each",
            f"{beside} {yardstick[0]:.0f}/s, {yardstick[1]:.1f} ms CPU each",
            ratio,
            f">= {_SHARE}" if counts else "",
            ratio >= _SHARE if counts else None,
        )
    yield Row("client CPU an order, issuer alone", n, f"{issuer[1]:.2f} ms", goal="< 4 ms", met=issuer[1] < _CPU)
    rate, _ = _measured(_far, stalls)
    yield Row(
        f"apply, {DELAY * 1000:.0f} ms added to each answer, {SLOW_WORKERS} workers",
        f"1 x {SLOW_ORDERS}",
        f"{rate:.1f} certificates/s",
        goal=f">= {_RATE}/s",
        met=rate >= _RATE,
    )
    if stalls:
        yield Row("runs repeated because Pebble had locked itself up", str(len(stalls)), ", ".join(stalls))
