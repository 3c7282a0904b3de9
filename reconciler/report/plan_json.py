"""The plan as `diff -o json` prints it; `apply -o json` adds an outcome to each change.

No key material is in a plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.changes import Verb
from reconciler.report.hunks import file_diff
from reconciler.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.errors import Problem
    from reconciler.model.changes import Change, Hold, Plan, PlannedFile
    from reconciler.model.outcomes import Outcome

Json = dict[str, Any]
_WITH_FILES: Final = frozenset({Verb.INSTALL, Verb.UNINSTALL})


def plan_json(plan: Plan, errors: Sequence[Problem] = (), outcomes: Iterable[Outcome] | None = None) -> Json:
    """Give the whole plan. With `outcomes` each change has its own (null if none came)."""
    ended = None if outcomes is None else {outcome.change.id: outcome for outcome in outcomes}
    changes = [change_json(change) for change in plan.changes]
    if ended is not None:
        changes = [{**one, "outcome": _outcome(ended.get(one["id"]))} for one in changes]
    return {
        "apiVersion": "certwright/v1",
        "kind": "Plan",
        "digest": plan.digest,
        "changes": changes,
        "holds": [hold_json(hold) for hold in plan.holds],
        "errors": [problem_json(problem) for problem in errors],
    }


def change_json(change: Change) -> Json:
    """Give one change; what does not concern its verb is left out."""
    item: Json = {"id": change.id, "after": list(change.after), "verb": change.verb.value}
    named = {"site": change.site, "target": change.target, "issuer": change.issuer, "revision": change.revision}
    item.update({key: value for key, value in named.items() if value is not None})
    item.update({"reason": change.reason.value, "message": change.message})
    if change.verb is Verb.ISSUE:
        item["hostnames"] = {"added": list(change.added), "removed": list(change.removed)}
        item["challenges"] = {
            name: {"method": one.method, "type": one.type} for name, one in sorted(change.challenges.items())
        }
        item["cost"] = {"newOrders": change.new_orders}
    if change.verb in _WITH_FILES:
        item["files"] = [_file(file) for file in change.files]
    return item


def _file(file: PlannedFile) -> Json:
    item: Json = {"path": file.path, "change": file.change.value}
    more = {"rights": file.rights, "diff": file_diff(file)}
    return {**item, **{name: text for name, text in more.items() if text}}


def hold_json(hold: Hold) -> Json:
    """Give one hold; `until` or `endsWhen` tells its end."""
    return {
        "site": hold.site,
        "target": hold.target,
        "reason": hold.reason.value,
        "until": rfc3339(hold.until),
        "endsWhen": hold.ends_when,
        "message": hold.message,
        "failed": hold.failed,
    }


def problem_json(problem: Problem) -> Json:
    """Give one error of a manifest."""
    return {"file": problem.file, "line": problem.line, "column": problem.column, "message": problem.message}


def _outcome(outcome: Outcome | None) -> Json | None:
    if outcome is None:
        return None
    return {
        "status": outcome.status.value,
        "reason": outcome.reason,
        "message": outcome.message,
        "again": rfc3339(outcome.again),
        "revision": outcome.revision,
    }
