"""An ACME issuer with all that it needs in memory: for tests against a real CA."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.challenges.ports import Ports
from reconciler.issuers.acme.issuer import AcmeIssuer, Sessions
from reconciler.issuers.means import Means
from reconciler.model.text import Secret
from tests.builders import MemoryDesk, MemoryStore, SteadyClock, acme_spec, listening, request_for, solvers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.desired import Http01, SecretRef
    from reconciler.model.ports import Issued, Request


@dataclass
class Rig:
    """One machine with one CA: `restart()` gives the same machine after its process was killed."""

    directory: str
    bundle: Path
    method: Http01
    locks: str
    clock: SteadyClock = field(default_factory=SteadyClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    secrets: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the process."""
        self.ports = Ports(self.store, self.locks, self.clock)
        self.solvers = solvers(self.store, self.ports)
        self.sessions = Sessions(self.clock, version="0", connections=4)
        self.means = Means(self.store, self.clock, self._secret)

    def issuer(self, **changes: Any) -> AcmeIssuer:  # noqa: ANN401  any field
        """Give an issuer for the CA; nothing is registered yet."""
        directory, bundle = changes.pop("directory", self.directory), changes.pop("bundle", self.bundle)
        return AcmeIssuer(acme_spec(directory, bundle, **changes), self.means, self.sessions)

    def registered(self, **changes: Any) -> AcmeIssuer:  # noqa: ANN401  any field
        """Give an issuer with an account."""
        issuer = self.issuer(**changes)
        issuer.register()
        return issuer

    def desk(self, **changes: Any) -> MemoryDesk:  # noqa: ANN401  any field
        """Give an empty desk."""
        return MemoryDesk(solvers=self.solvers, **changes)

    def request(self, *hostnames: str, profile: str | None = None) -> Request:
        """Ask for names, proven by our listener."""
        return request_for(*hostnames, methods=(self.method,), profile=profile)

    def obtain(self, *hostnames: str) -> Issued:
        """Register and obtain in one go."""
        return self.registered().obtain(self.request(*hostnames), self.desk())

    def restart(self) -> None:
        """Lose everything that is not on disk."""
        self.close()
        self.clock = SteadyClock()
        self.__post_init__()

    def close(self) -> None:
        """End the process."""
        self.ports.close()
        self.sessions.close()

    def _secret(self, ref: SecretRef, _field: str) -> Secret:
        return Secret(self.secrets[ref.file or ""])


@contextmanager
def rig(tmp_path: Path, directory: str, bundle: Path, http_port: int) -> Iterator[Rig]:
    """Run a machine whose http-01 listener is where the CA looks."""
    made = Rig(directory, bundle, listening(http_port), str(tmp_path / "locks"))
    try:
        yield made
    finally:
        made.close()
