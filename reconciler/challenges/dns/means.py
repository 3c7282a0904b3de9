"""What the ways by DNS are given by `wiring`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from reconciler.challenges.dns.patience import Patience
from reconciler.errors import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.desired import DnsProviderSpec, SecretRef
    from reconciler.model.ports import Clock
    from reconciler.model.text import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Means:
    """A clock, and the way to the declared secret of a field (raises Failed, which names that and never shows it)."""

    clock: Clock
    read_secret: Callable[[SecretRef, str], Secret]
    patience: Patience = field(default_factory=Patience)

    def ask(self, provider: DnsProviderSpec, work: Callable[[], T]) -> T:
        """Do what a provider is needed for; one that let us wait in vain is left alone for a while. Raises Failed."""
        return self.patience.ask(self.clock, provider, work)

    def stopped(self) -> Waiting:
        """Make what is raised where the process stops: no failure of anybody, and taken up when it starts again."""
        return Waiting("InFlight", "the process stops; this goes on when it starts again", self.clock.now())

    def check_stop(self) -> None:
        """Raise Waiting(InFlight) if the process is asked to stop: no child is started that is killed at once."""
        if self.clock.stopping():
            raise self.stopped()
