"""The dry run: nothing is done, nothing comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.changes import Plan
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Declared


def preview(plan: Plan, declared: Declared) -> Iterator[Outcome]:
    """Do nothing with a plan: the whole difference between `diff` and `apply` below the command line."""
    del plan, declared
    return iter(())
