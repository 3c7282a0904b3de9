"""What one pass is given: its clock, its scope, what the manifests declare, and what does its plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reconciler.model.changes import Hold, Plan
from reconciler.model.desired import (
    DesiredSite,
    IssuerSpec,
    TargetSpec,
)
from reconciler.model.outcomes import Outcome


class Clock(Protocol):
    """Time, as an argument: nothing below reads a clock of its own."""

    def now(self) -> datetime:
        """Give the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds for deadlines inside this process."""
        ...

    def wait(self, seconds: float) -> bool:
        """Sleep; True if the stop flag was set, at once then."""
        ...

    def stopping(self) -> bool:
        """Tell whether the stop flag is set."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What a pass looks at: `sites` None is all. `full` is true only for a whole tree that the state follows.

    `follows`: the tree is that one, of which the pass may be a part: what it does not declare, nobody does.
    """

    sites: frozenset[str] | None = None
    full: bool = False
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """What the manifests say. `names` are all declared sites; `sites` those of the scope that were resolved.

    `held` are objects that do not parse or conflict (under the watch loop their last good meaning is in `sites`).
    """

    names: frozenset[str]
    sites: Mapping[str, DesiredSite]
    targets: Mapping[str, TargetSpec] = field(default_factory=dict)
    issuers: Mapping[str, IssuerSpec] = field(default_factory=dict)
    held: tuple[Hold, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person allowed. `batching` is true under the watch loop: `reload.delay` holds there alone."""

    removals: int | None = None
    reissues: int | None = None
    batching: bool = False


class Execute(Protocol):
    """What does a plan: the executor. `diff` has none."""

    def __call__(self, plan: Plan, declared: Declared) -> Iterator[Outcome]:
        """Give each change's outcome as it comes."""
        ...
