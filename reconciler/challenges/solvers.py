"""All ways to prove control, by their specs: `model.ports.Challenges`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from reconciler.challenges.http01 import ListenerSolver, WebrootSolver, remove

if TYPE_CHECKING:
    from reconciler.challenges.ports import Ports, Published
    from reconciler.model.desired import Listener, MethodSpec, Webroot
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Solver


class Solvers:
    """Gives each spec its solver, made once; undoes what any solver left. Safe for threads."""

    def __init__(self, published: Published, ports: Ports) -> None:
        self._published, self._ports = published, ports
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._solvers: dict[Webroot | Listener, Solver] = {}

    def solver(self, method: MethodSpec) -> Solver:
        """Give the solver of a method; two methods that say the same share it."""
        with self._lock:
            if method.way not in self._solvers:
                self._solvers[method.way] = self._new(method.way)
            return self._solvers[method.way]

    def clean_up(self, thing: Undo) -> None:
        """Undo one thing, also of a method that is no longer declared. Raises Failed where it cannot be done now."""
        match thing.kind:
            case "token":
                self._published.drop_token(thing.name)
            case "webroot":
                remove(thing, self._made)

    def close(self) -> None:
        """Close the listeners, at the end of the process."""
        self._ports.close()

    def _new(self, way: Webroot | Listener) -> Solver:
        match way.type:
            case "webroot":
                return WebrootSolver(way, self._made)
            case "listener":
                return ListenerSolver(way, self._published, self._ports)
