"""All ways to prove control, by their specs: `model.ports.Challenges`."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.challenges.dns.addresses import Addresses, withdraw_address
from reconciler.challenges.dns.making import provider_of, solver_of
from reconciler.challenges.dns.names import (
    account_name,
    challenge_name,
    challenge_value,
    persist_name,
    persist_value,
)
from reconciler.challenges.dns.standing import stands_nowhere
from reconciler.challenges.http01 import ListenerSolver, WebrootSolver, remove
from reconciler.challenges.self_test import check
from reconciler.challenges.tls_alpn01 import TlsAlpnSolver, withdraw
from reconciler.model.desired import Preflight
from reconciler.model.stages import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.challenges.dns.means import Means
    from reconciler.challenges.ports import Ports, Published
    from reconciler.challenges.self_test import Find
    from reconciler.model.desired import DnsSpec, Listener, MethodSpec, TlsAlpn01, Webroot
    from reconciler.model.observed import Undo
    from reconciler.model.ports import AddressBook, Asked, Solver


class Solvers:
    """Gives each spec its solver, made once; undoes what any solver left. Safe for threads."""

    def __init__(self, published: Published, ports: Ports, means: Means) -> None:
        """`means` is what the ways by DNS work with."""
        self._published, self._ports, self._means = published, ports, means
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._solvers: dict[Webroot | Listener | TlsAlpn01 | DnsSpec, Solver] = {}

    def solver(self, method: MethodSpec) -> Solver:
        """Give the solver of a method; two methods for http-01 that say the same share it."""
        # what is looked at first is none of a solver's business
        way = method.way if method.type == "http-01" else replace(method, preflight=Preflight())
        with self._lock:
            if way not in self._solvers:
                self._solvers[way] = self._new(way)
            return self._solvers[way]

    def addresses(self, method: DnsSpec) -> AddressBook:
        """Give what publishes address records by a method."""
        return Addresses(method, self._means)

    def clean_up(self, thing: Undo) -> None:
        """Undo one thing, also of a method that is no longer declared.

        Raises Failed where it cannot be done now, Waiting where the process stops.
        """
        match thing.kind:
            case "token":
                self._published.drop_token(thing.name)
            case "webroot":
                remove(thing, self._made)
            case "alpn":
                withdraw(self._published, thing)
            case "address":
                withdraw_address(thing, self._means)
            case "txt":
                if thing.provider is not None:
                    writer = provider_of(thing.provider, self._means)
                    self._means.ask(thing.provider, lambda: writer.remove(thing.place, thing.name, thing.value))

    def is_gone(self, thing: Undo, methods: Iterable[MethodSpec]) -> bool:
        """Tell whether a TXT value that could not be taken away stands nowhere any more, or never did."""
        return thing.kind == "txt" and stands_nowhere(thing, methods, self._means.clock)

    def record(self, kind: str, hostname: str, asked: Asked, ttl: int) -> Record | None:
        """Give the TXT record by which a type of challenge is answered, None for types that have none."""
        match kind:
            case "dns-01":
                name, value = challenge_name(hostname), challenge_value(asked.key_authorization)
            case "dns-account-01":
                name, value = account_name(hostname, asked.account), challenge_value(asked.key_authorization)
            case "dns-persist-01" if asked.issuers:
                name, value = persist_name(hostname), persist_value(hostname, asked.issuers[0], asked.account)
            case _:
                return None
        return Record(f"{name}.", value, ttl)

    def self_test(
        self, method: MethodSpec, hostname: str, token: str, key_authorization: str, find: Find | None = None
    ) -> None:
        """Look at what was presented the way a CA will. Raises Failed(SelfTestFailed); bounded to a few seconds."""
        check(method, hostname, token, key_authorization, find)

    def close(self) -> None:
        """Close the listeners, at the end of the process."""
        self._ports.close()

    def _new(self, way: Webroot | Listener | TlsAlpn01 | DnsSpec) -> Solver:
        match way.type:
            case "webroot":
                return WebrootSolver(way, self._made)
            case "listener":
                return ListenerSolver(way, self._published, self._ports)
            case "tls-alpn-01":
                return TlsAlpnSolver(way.way, self._published, self._ports)
            case _:
                return solver_of(way, self._means)
