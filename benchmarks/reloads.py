"""`reloads`: one renewed certificate from the store to what is served, beside the server's own bare test and reload.

At 10 and 1,000 sites on nginx, Apache and HAProxy; `BENCH_SITES=10000` for more. The new one stands in the store
and is live; measured is from there to the first handshake that shows it: for ours a whole pass over that site as `run`
makes it (look, plan, files, test, reload), for the yardstick the server's own two commands, one after the other. Who
looks is a process of its own, so that it holds up neither side.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from benchmarks.ground import Ground, room
from benchmarks.processes import ROOT
from benchmarks.table import Row, seconds, turns
from reconciler.doors import x509
from reconciler.loop.steady import SteadyTree
from reconciler.model.observed import Revision
from reconciler.model.ports import Bundle, Limits, Scope
from tests.servers.apache import apache
from tests.servers.haproxy import haproxy
from tests.servers.nginx import nginx
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reconciler.wiring import App

SIZES: Final = tuple(int(word) for word in os.environ.get("BENCH_SITES", "10 1000").split())
ROUNDS: Final = 5
_FEW: Final = 100
_ROUNDS_OF_FEW: Final = 31  # a round takes 50 ms, and what else the machine does weighs as much
_SITE: Final = "s0"
_RATIO: Final = 1.2
_AT_ONCE: Final = 20
_SOCKET_GOAL: Final = 0.05
_LIFETIME: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its own two commands, and the Target that stands for it."""

    name: str
    port: int
    test: Sequence[str]
    reload: Sequence[str]
    spec: dict[str, object]
    combined: Path | None = None

    @property
    def target(self) -> dict[str, object]:
        """Give the Target's spec."""
        return {
            "test": list(self.test),
            "reload": {"command": list(self.reload), "delay": "0s"},
            "verify": {"ports": [self.port]},
            **self.spec,
        }


def rows() -> Iterator[Row]:
    """Measure every server at every size."""
    for count in SIZES:
        for name in ("nginx", "apache", "haproxy"):
            with room() as folder, ExitStack() as life:
                yield from _measured(_STARTS[name](life, folder), Ground(folder / "ground"), count)


def _measured(server: Server, ground: Ground, count: int) -> Iterator[Row]:
    ground.root.mkdir()
    with_socket = {**server.target, "socket": str(server.spec.get("socket", ""))}
    plain = {key: value for key, value in server.target.items() if key != "socket"}
    ground.declare(count, {("Target", "web"): plain}, issuers=["ca"], targets=["web"])
    ground.converge()
    rounds = ROUNDS if count > _FEW else _ROUNDS_OF_FEW
    with _warm(ground) as app:
        clients: list[tuple[int, float]] = []
        ours, bare = turns(rounds, lambda: _ours(app, server, clients), lambda: _bare(app, server))
    what = f"one renewed certificate among {count:,} on {server.name}"
    ratio = ours / bare
    yield Row(what, str(rounds), seconds(ours), f"test+reload {seconds(bare)}", ratio, f"<= {_RATIO}", ratio <= _RATIO)
    told = f"{sum(failed for failed, _ in clients)} failed, longest {seconds(max(took for _, took in clients))}"
    yield Row(f"{what}: handshakes meanwhile", str(rounds), told)
    if server.combined is not None:
        ground.retarget("web", with_socket)
        ground.converge()
        with _warm(ground) as app:
            (took,) = turns(rounds, lambda: _ours(app, server, []))
            (many,) = turns(ROUNDS, lambda: _ours(app, server, [], _AT_ONCE)) if count > _AT_ONCE else (None,)
        met = took <= _SOCKET_GOAL
        yield Row(f"{what}, runtime socket", str(rounds), seconds(took), "", None, seconds(_SOCKET_GOAL), met)
        if many is not None:
            each, n = many / _AT_ONCE, f"{ROUNDS} x {_AT_ONCE}"
            told = f"{what}, runtime socket, {_AT_ONCE} at once, each"
            yield Row(told, n, seconds(each), "", None, seconds(_SOCKET_GOAL), each <= _SOCKET_GOAL)


@contextmanager
def _warm(ground: Ground) -> Iterator[App]:
    """Give the application as `run` has it: what is loaded on first use is loaded, and the tree is read once."""
    with ground.app() as app:
        tree = SteadyTree(app.tree)
        tree.reread()
        app.engine = replace(app.engine, manifests=tree)
        _pass(app)
        _renewed(app)
        _pass(app)
        yield app


def _pass(app: App, sites: int = 1) -> None:
    scope = Scope(sites=frozenset(f"s{number}" for number in range(sites)), follows=True)
    app.engine.converge(scope, app.executor(), Limits(), lambda _plan: None, lambda _told: None)


def _ours(app: App, server: Server, clients: list[tuple[int, float]], sites: int = 1) -> float:
    """Give the seconds from live revisions to the handshake that shows the one that is taken up last."""
    fingerprints = [_renewed(app, f"s{number}") for number in range(sites)]
    last = max(range(sites), key=lambda number: f"s{number}")
    return _until_served(server, fingerprints[last], lambda: _pass(app, sites), clients, f"s{last}")


def _bare(app: App, server: Server) -> float:
    """Give the seconds of the server's own commands, after which it shows the same."""
    fingerprint = _renewed(app)
    live = app.store.live([_SITE])[_SITE]
    assert isinstance(live, Revision)
    bundle = app.store.bundle(_SITE, live.id)

    def work() -> None:
        if server.combined is not None:
            server.combined.write_bytes(bundle.key.reveal() + bundle.fullchain)
        for argv in (server.test, server.reload):
            subprocess.run(argv, check=True, capture_output=True)

    return _until_served(server, fingerprint, work, [])


def _renewed(app: App, site: str = _SITE) -> str:
    """Put a further certificate into the store, make it live, and give its fingerprint."""
    live = app.store.live([site])[site]
    assert isinstance(live, Revision)
    now = datetime.now(UTC)
    key = x509.new_key("ecdsa-p256")
    pem = x509.self_signed(key, [f"{site}.example.com"], _LIFETIME, now, marker=False)
    with app.store.claim(f"site/{site}", "bench", 10.0) as lease:
        new = app.store.put_revision(lease, site, Bundle(key, pem, b""), replace(live.meta, at=now))
        app.store.activate(lease, site, new, live.id)
    return x509.facts(pem).fingerprint


def _until_served(
    server: Server, fingerprint: str, work: Callable[[], None], clients: list[tuple[int, float]], site: str = _SITE
) -> float:
    """Give the seconds from the beginning of the work to the first handshake that shows the certificate.

    `clients` gets how many handshakes failed meanwhile and how many seconds the longest took.
    """
    argv = (sys.executable, "-m", "benchmarks.watcher", str(server.port), f"{site}.example.com", fingerprint)
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        watcher.stdout.readline()
        began = time.monotonic()
        try:
            work()
            seen, last = watcher.stdout.readline().split(), watcher.stdout.readline().split()
        finally:
            watcher.kill()
    if not last:
        raise RuntimeError(f"{server.name} did not show the new certificate in time")
    clients.append((int(last[0]), float(last[1])))
    return float(seen[0]) - began


def _nginx(life: ExitStack, folder: Path) -> Server:
    port = free_port()
    running = life.enter_context(nginx(folder / "nginx", "server_names_hash_max_size 65536;"))
    spec: dict[str, object] = {"type": "nginx", "layout": "vhost", "configDirectory": str(running.include)}
    return Server("nginx", port, running.test_argv, running.reload_argv, spec)


def _apache(life: ExitStack, folder: Path) -> Server:
    port = free_port()
    running = life.enter_context(apache(folder / "apache", f"Listen 127.0.0.1:{port}"))
    spec: dict[str, object] = {"type": "apache", "layout": "vhost", "configDirectory": str(running.include)}
    return Server("Apache", port, running.test_argv, running.reload_argv, spec)


def _haproxy(life: ExitStack, folder: Path) -> Server:
    """HAProxy cannot start without a list: with an empty one and `strict-sni` it can."""
    running = life.enter_context(haproxy(folder / "haproxy"))
    listed = running.include / "crt-list.txt"
    listed.touch()
    running.start()
    listed.unlink()
    spec: dict[str, object] = {
        "type": "haproxy", "configDirectory": str(running.include), "socket": str(running.socket),
    }  # fmt: skip
    combined = running.include / f"{_SITE}.pem"
    return Server("HAProxy", running.port, running.test_argv, running.reload_argv, spec, combined)


_STARTS: Final = {
    "nginx": _nginx,
    "apache": _apache,
    "haproxy": _haproxy,
}
