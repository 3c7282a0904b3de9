"""What every way to prove control keeps to (`model.ports.Solver`): one row a type and way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.challenges.dns.means import Means
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.model.desired import (
    Dns01,
    DnsAccount01,
    DnsPersist01,
    Http01,
    Listener,
    Propagation,
    Rfc2136,
    SecretRef,
    TlsAlpn01,
    Tsig,
    Webroot,
)
from reconciler.model.names import Switch
from reconciler.model.ports import Asked
from reconciler.model.text import Secret
from tests.builders import MemoryStore, SteadyClock
from tests.servers.knot import knot
from tests.servers.ports import free_port
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Solver
    from tests.servers.zones import NameServer

TOKEN = "t" * 43
HOSTNAME = "host.one.test"
OFF = Propagation(Switch.OFF)
ASKED = Asked(f"{TOKEN}.{'k' * 43}", "https://ca.test/account/1", ("ca.test",))


@dataclass
class Ground:
    """The world that answers are put into, and a process at work there; `restart` gives another one."""

    root: Path
    server: NameServer

    def __post_init__(self) -> None:
        """Begin with nothing published."""
        self.store, self.port = MemoryStore(), free_port()
        (self.root / "web").mkdir()
        self.solvers = self._process()

    def restart(self) -> None:
        """Begin anew as a process that knows nothing but what stands in the store."""
        self.solvers.close()
        self.solvers = self._process()

    def _process(self) -> Solvers:
        ports = Ports(self.store, str(self.root / "locks"), SteadyClock())
        means = Means(SteadyClock(), lambda _ref, _field: Secret(SECRET.encode()))
        return Solvers(self.store, ports, means)

    def provider(self) -> Rfc2136:
        """Give who writes to the name server."""
        return Rfc2136(self.server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig")), "one.test")

    def seen(self, thing: Undo) -> tuple[object, ...]:
        """Everything that is there to be found."""
        files = sorted(str(path) for path in (self.root / "web").rglob("*"))
        return files, dict(self.store.published), sorted(self.server.query(thing.name)) if thing.kind == "txt" else []


METHODS: Final[dict[str, Callable[[Ground], MethodSpec]]] = {
    "http-01 webroot": lambda ground: Http01("m", Webroot(str(ground.root / "web"))),
    "http-01 listener": lambda ground: Http01("m", Listener(ground.port, "127.0.0.1")),
    "tls-alpn-01": lambda ground: TlsAlpn01("m", Listener(ground.port, "127.0.0.1")),
    "dns-01": lambda ground: Dns01(name="m", propagation=OFF, provider=ground.provider()),
    "dns-account-01": lambda ground: DnsAccount01(name="m", propagation=OFF, provider=ground.provider()),
    "dns-persist-01": lambda ground: DnsPersist01(name="m", propagation=OFF, provider=ground.provider()),
}
WRITES_NOTHING: Final = {"dns-persist-01"}


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with knot(tmp_path_factory.mktemp("knot"), {"one.test": ()}) as server:
        yield server


@pytest.fixture(name="ground")
def _ground(tmp_path: Path, server: NameServer) -> Iterator[Ground]:
    ground = Ground(tmp_path, server)
    yield ground
    ground.solvers.close()


@pytest.fixture(name="row", params=METHODS)
def _row(request: pytest.FixtureRequest, ground: Ground) -> tuple[str, Solver]:
    return request.param, ground.solvers.solver(METHODS[request.param](ground))


def test_what_is_told_first_does_nothing_and_is_always_the_same(row: tuple[str, Solver], ground: Ground) -> None:
    _, solver = row
    thing = solver.prepare("site", HOSTNAME, TOKEN, ASKED)
    before = ground.seen(thing)
    assert solver.prepare("site", HOSTNAME, TOKEN, ASKED).id == thing.id
    assert ground.seen(thing) == before
    assert solver.prepare("site", HOSTNAME, "u" * 43, Asked("u.k", "https://ca.test/account/2", ("ca.test",))) != thing


def test_what_is_presented_twice_is_there_once_and_goes_at_once(row: tuple[str, Solver], ground: Ground) -> None:
    name, solver = row
    thing = solver.prepare("site", HOSTNAME, TOKEN, ASKED)
    before = ground.seen(thing)
    first = solver.present(thing, ASKED.key_authorization)
    there = ground.seen(thing)
    assert (there == before) == (name in WRITES_NOTHING)
    again = solver.present(solver.prepare("site", HOSTNAME, TOKEN, ASKED), ASKED.key_authorization)
    assert ground.seen(thing) == there
    assert again.id == first.id
    solver.settle([first], datetime.now(UTC), lambda _text: None)
    ground.solvers.clean_up(first)
    assert ground.seen(thing) == before
    ground.solvers.clean_up(first)
    assert ground.seen(thing) == before, "nothing to undo is no failure"


def test_another_process_undoes_it_by_its_record(row: tuple[str, Solver], ground: Ground) -> None:
    """As after a crash, when the method may no longer be declared."""
    _, solver = row
    thing = solver.prepare("site", HOSTNAME, TOKEN, ASKED)
    before = ground.seen(thing)
    written = solver.present(thing, ASKED.key_authorization)
    ground.restart()
    ground.solvers.clean_up(written)
    assert ground.seen(thing) == before
    ground.solvers.clean_up(written)
