"""Small real things that many tests need: a clock, a memory that plays the store's parts for issuers, a desk."""

from __future__ import annotations

import resource
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.challenges.dns.means import Means
from reconciler.challenges.solvers import Solvers
from reconciler.doors import x509
from reconciler.errors import HeldBy
from reconciler.model.desired import AcmeIssuer, Http01, Listener, MethodSpec
from reconciler.model.names import Trust
from reconciler.model.ports import Asked, Lease, Request, Solver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.challenges.ports import Ports
    from reconciler.errors import Failed
    from reconciler.model.desired import SecretRef
    from reconciler.model.observed import AccountRecord, OrderRecord, Undo
    from reconciler.model.text import Secret


class SteadyClock:
    """The real time, moved by `shift`; `stop()` sets the stop flag."""

    def __init__(self, shift: timedelta = timedelta()) -> None:
        self.shift = shift
        self.waits: list[float] = []
        self.on_wait: Callable[[], None] | None = None
        self._stop = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if self.on_wait is not None:
            self.on_wait()
        return self._stop.wait(seconds)

    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()


class MemoryStore:
    """The parts of the store that issuers and solvers use, in memory. Survives a simulated crash by being kept."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], AccountRecord] = {}
        self.keys: dict[tuple[str, str], Secret] = {}
        self.cas: dict[str, tuple[Secret, bytes]] = {}
        self.published: dict[str, str] = {}
        self.writes: list[str] = []
        self._lock = threading.RLock()

    @contextmanager
    def claim(self, scope: str, verb: str, wait: float) -> Iterator[Lease]:
        if not self._lock.acquire(timeout=wait):
            raise HeldBy(scope, 1, verb, "2026-01-01T00:00:00Z")
        try:
            yield Lease(scope, 1)
        finally:
            self._lock.release()

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        return dict(self.records)

    def account_key(self, directory: str, name: str) -> Secret | None:
        return self.keys.get((directory, name))

    def put_account(self, lease: Lease, record: AccountRecord, key: Secret) -> None:
        assert lease.scope.startswith("account/")
        self.writes.append(f"account {record.url}")
        self.records[record.directory, record.name] = record
        self.keys[record.directory, record.name] = key

    def ca(self, name: str) -> tuple[Secret, bytes] | None:
        return self.cas.get(name)

    def put_ca(self, lease: Lease, name: str, key: Secret, certificate: bytes) -> None:
        assert lease.scope == f"account/ca/{name}"
        self.cas[name] = key, certificate

    def put_token(self, token: str, key_authorization: str) -> None:
        self.published[token] = key_authorization

    def drop_token(self, token: str) -> None:
        self.published.pop(token, None)

    def token(self, token: str) -> bytes | None:
        found = self.published.get(token)
        return None if found is None else found.encode()

    def tokens(self) -> frozenset[str]:
        return frozenset(self.published)


def solvers(store: MemoryStore, ports: Ports) -> Solvers:
    """Give the ways to prove control, without a secret."""

    def none(_ref: SecretRef, field: str) -> Secret:
        message = f"no secret for {field}"
        raise AssertionError(message)

    return Solvers(store, ports, Means(SteadyClock(), none))


class Crash(BaseException):
    """The process ends here: no handler of failures sees it."""


class Ways(Protocol):
    """What a desk needs of the ways to prove control."""

    def solver(self, method: MethodSpec) -> Solver: ...

    def clean_up(self, thing: Undo) -> None: ...


@dataclass
class MemoryDesk:
    """A desk for one site. What a crash leaves stays in it. `crash_at` counts the desk's calls, from 1."""

    site: str = "site"
    key_type: str = "ecdsa-p256"
    solvers: Ways | None = None
    crash_at: int | None = None
    on_call: Callable[[str], None] | None = None
    record: OrderRecord | None = None
    pending: Secret | None = None
    undo: dict[str, tuple[Solver, Undo]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    saved: list[OrderRecord] = field(default_factory=list)
    refusals: tuple[Failed, ...] = ()

    def order(self) -> OrderRecord | None:
        self._step("order")
        return self.record

    def save(self, order: OrderRecord) -> None:
        self._step("save", before=False)
        self.record = order
        self.saved.append(order)
        self._step("saved")

    def forget(self, *, keep_key: bool) -> None:
        self._step("forget", before=False)
        self.record = None
        if not keep_key:
            self.pending = None

    def key(self) -> Secret:
        self.pending = self.pending or x509.new_key(self.key_type)
        self._step("key")
        return self.pending

    def present(self, method: MethodSpec, hostname: str, token: str, asked: Asked) -> None:
        assert self.solvers is not None
        solver = self.solvers.solver(method)
        thing = solver.prepare(self.site, hostname, token, asked)
        self.undo[thing.id] = solver, thing
        self._step("present")
        self.undo[thing.id] = solver, solver.present(thing, asked.key_authorization)
        self._step("presented")

    def settle(self) -> None:
        for solver, thing in self.undo.values():
            solver.settle([thing], datetime.now(UTC), self.say)

    def self_test(self) -> Sequence[Failed]:
        self._step("self_test")
        return self.refusals

    def clean_up(self) -> None:
        self._step("clean_up")
        for name, (_, thing) in list(self.undo.items()):
            assert self.solvers is not None
            self.solvers.clean_up(thing)
            del self.undo[name]

    def say(self, message: str) -> None:
        self.calls.append(f"say {message}")

    def _step(self, what: str, *, before: bool = True) -> None:
        if not before:
            return
        self.calls.append(what)
        if self.on_call is not None:
            self.on_call(what)
        steps = sum(not call.startswith("say") for call in self.calls)
        if self.crash_at is not None and steps == self.crash_at:
            raise Crash(what)


def acme_spec(directory: str, bundle: Path | None = None, **changes: Any) -> AcmeIssuer:  # noqa: ANN401  any field
    """Give an Issuer of a test CA whose terms are agreed to."""
    values = {"agree_to_terms": True, "ca_bundle": str(bundle) if bundle else None, **changes}
    return AcmeIssuer("pebble", Trust.TEST, directory, **values)


def listening(port: int, name: str = "http") -> Http01:
    """Give an http-01 method by listener."""
    return Http01(name, Listener(port, "127.0.0.1"))


def request_for(
    *hostnames: str, methods: tuple[MethodSpec, ...], site: str = "site", profile: str | None = None
) -> Request:
    """Ask for a certificate for these names, each proven by these methods."""
    return Request(
        site=site,
        hostnames=hostnames,
        key_type="ecdsa-p256",
        methods=dict.fromkeys(hostnames, methods),
        reason="Missing",
        spec_digest="digest",
        profile=profile,
    )


@contextmanager
def crashing() -> Iterator[None]:
    """Let a simulated crash end the block."""
    with suppress(Crash):
        yield


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing within the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
