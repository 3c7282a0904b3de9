"""`onNameFailure: dropLate`: how long the other names wait for one that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.plan.issuing.names import LATE_SHARE, is_late, left_out, remembered
from reconciler.plan.issuing.renewal import lifetime

if TYPE_CHECKING:
    from reconciler.model.changes import Hold
    from reconciler.plan.issuing.case import Case


def until_late(case: Case, held: Hold) -> Hold | None:
    """Give the hold that a failed order left: none once the name that failed is left out, else it tells from when."""
    failures, revision = case.memory.failures.get("issue"), case.revision
    name = failures.last.hostname if failures is not None and failures.last is not None else None
    if name in left_out(case.desired, case.live, case.memory, case.now):
        return None
    failed = {name, *remembered(case.desired, case.memory)}
    others = set(case.desired.names) - failed  # where all have failed, none is ordered without the rest
    waits = name in case.desired.names and others and case.desired.on_name_failure == "dropLate"
    if not waits or revision is None or is_late(revision, case.now):
        return held
    at = revision.facts.not_after - lifetime(revision) / LATE_SHARE
    words = f"the others are ordered without {name} from {at:%Y-%m-%dT%H:%M:%SZ} on (onNameFailure: dropLate)"
    return replace(held, message=f"{held.message}; {words}")
