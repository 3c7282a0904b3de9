"""The exit code, the same meaning for every verb.

0 it holds, 1 not (or differences), 2 manifests, 3 the state directory or a lock, 4 only nobody's waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason, Verb
from reconciler.model.outcomes import Status
from reconciler.report.waits import NOBODYS, WAITS, is_failed_hold, is_wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.errors import Problem
    from reconciler.model.changes import Hold, Plan
    from reconciler.model.outcomes import Condition, Outcome

OK: Final = 0
NOT_OK: Final = 1
INVALID: Final = 2
MACHINE: Final = 3
_MACHINES: Final = frozenset({"StoreError", "NewerStore", "HeldBy", "LeaseLost", "Conflict"})
"""The classes of `errors.StoreError`, by which an outcome names a failure of the state directory or a lock."""


def exit_code_of_diff(plan: Plan, errors: Sequence[Problem] = ()) -> int:
    """Give 2 for invalid manifests, 1 for changes (a refresh is none), 0 for none, held or not."""
    if errors:
        return INVALID
    return NOT_OK if any(change.verb is not Verb.REFRESH for change in plan.changes) else OK


def exit_code(
    holds: Iterable[Hold] = (),
    outcomes: Iterable[Outcome] = (),
    ready: Iterable[Condition] = (),
    errors: Sequence[Problem] = (),
) -> int:
    """Give the code of `apply` and its like.

    `holds` are those of the last plan; of `outcomes` the last one of each piece of work counts; `ready` are
    conditions of type Ready, of which a False one whose reason is a wait that the manifest asked for, or nobody's
    failure, is no failure.
    """
    if errors:
        return INVALID
    held, outcomes = tuple(holds), _last(outcomes)
    if any(outcome.status is Status.FAILED and outcome.reason in _MACHINES for outcome in outcomes):
        return MACHINE
    if any(_fails(outcome) for outcome in outcomes) or any(
        is_failed_hold(hold.reason, failed=hold.failed) for hold in held
    ):
        return NOT_OK
    if any(is_not_ready(condition) for condition in ready):
        return NOT_OK
    return WAITS if any(hold.reason in NOBODYS for hold in held) else OK


def exit_code_of_failures(reasons: Iterable[str]) -> int:
    """Give the code of a verb that ended early for these reasons: 4 if all of them are nobody's failure, else 1."""
    return WAITS if all(reason in NOBODYS for reason in reasons) else NOT_OK


def _last(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    by_work = {(outcome.change.verb, outcome.change.subject, outcome.change.target): outcome for outcome in outcomes}
    return tuple(by_work.values())


def _fails(outcome: Outcome) -> bool:
    if outcome.status in (Status.FAILED, Status.WAITING):
        return outcome.reason not in NOBODYS | {Reason.WAITING_FOR_SOLVE.value}
    return outcome.status is Status.SKIPPED and outcome.reason == Reason.DEPENDENCY_FAILED.value


def is_not_ready(condition: Condition) -> bool:
    """Tell whether a condition of type Ready is a failure: False, and for a reason that is no wait."""
    return condition.type == "Ready" and condition.status != "True" and not is_wait(condition.reason)
