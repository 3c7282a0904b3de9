"""What the ways by DNS are given by `wiring`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.desired import SecretRef
    from reconciler.model.ports import Clock
    from reconciler.model.text import Secret


@dataclass(frozen=True, slots=True)
class Means:
    """A clock, and the way to the declared secret of a field (raises Failed, which names that and never shows it)."""

    clock: Clock
    read_secret: Callable[[SecretRef, str], Secret]

    def stopped(self) -> Waiting:
        """Make what is raised where the process stops: no failure of anybody, and taken up when it starts again."""
        return Waiting("InFlight", "the process stops; this goes on when it starts again", self.clock.now())

    def check_stop(self) -> None:
        """Raise Waiting(InFlight) if the process is asked to stop: no child is started that is killed at once."""
        if self.clock.stopping():
            raise self.stopped()
