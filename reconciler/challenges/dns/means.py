"""What the ways by DNS are given by `wiring`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
