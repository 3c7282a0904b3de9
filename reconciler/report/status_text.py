"""`status`: how many sites are Ready, wait or fail, and the ten worst with their next step.

Imports nothing of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from reconciler.report.cells import at, condition, listed, shown, table
from reconciler.report.reasons import next_step
from reconciler.report.times import parsed, relative
from reconciler.report.waits import BY_HAND, NOBODYS, NOT_YET, is_failed_hold, is_wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

_WORST: Final = 10
_GRADES: Final = {"failing": 0, "waiting": 1, "ready": 2}


def grade(item: Mapping[str, Any]) -> Literal["ready", "waiting", "failing"]:
    """Judge one site's item: Ready, waiting for what comes by itself or was asked for, or in need of a person or luck.

    A good certificate whose renewal fails, or waits because the state was moved, is in need too, long before it ends,
    and so is one whose manifest is broken, or whatever else of it is held that `apply` calls a failure.
    An order that a person took in hand is a wait, whatever failed before, and so are a site that a person suspended and
    one that a CA's limits hold.
    """
    ready = condition(item, "Ready")
    reason = str(ready.get("reason") or "Missing")
    in_hand = reason in BY_HAND | NOBODYS or at(item, "spec", "suspend") is True
    has_failed = _failures(item) > 0 and not in_hand
    if _is_ready(item):
        return "failing" if has_failed or _is_moved(item) or _failed_holds(item) else "ready"
    waits = (is_wait(reason) or reason in NOT_YET) and not has_failed and not _has_failed_hold(item)
    return "waiting" if waits else "failing"


def _failures(item: Mapping[str, Any]) -> int:
    count = at(item, "status", "failures", "count")
    return count if isinstance(count, int) else 0


def _has_failed_hold(item: Mapping[str, Any]) -> bool:
    return any(at(hold, "failed") is True for hold in listed(at(item, "status", "holds")))


def _failed_holds(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    holds = (hold for hold in listed(at(item, "status", "holds")) if isinstance(hold, dict))
    return [hold for hold in holds if is_failed_hold(str(hold.get("reason")), failed=hold.get("failed") is True)]


def _is_ready(item: Mapping[str, Any]) -> bool:
    return condition(item, "Ready").get("status") == "True"


def _is_served(item: Mapping[str, Any]) -> bool:
    """Tell whether nothing but a hold speaks against a site: no other condition says what the hold says."""
    kinds = ("Issued", "Covered", "Installed", "Served")
    return not any(condition(item, kind).get("status") == "False" for kind in kinds)


def _is_moved(item: Mapping[str, Any]) -> bool:
    return condition(item, "Moved").get("status") == "True"


def status_text(
    items: Sequence[Mapping[str, Any]],
    now: datetime,
    source: str | None = None,
    wide: Sequence[Mapping[str, Any]] = (),
    unseen: int = 0,
) -> str:
    """Give the text; `source` is the tree that the state follows, `wide` are holds that no declared site bears.

    `unseen` sites are declared, and no pass has looked at them.
    """
    grades = [grade(item) for item in items]
    counts = ", ".join(f"{grades.count(word)} {word}" for word in ("ready", "waiting", "failing"))
    sites = f"{len(items):,} site{'' if len(items) == 1 else 's'}"
    head = [f"source: {shown(source)}"] if source else []
    worst = sorted((item for item in items if grade(item) != "ready"), key=lambda item: _badness(item, now))[:_WORST]
    more = [f"{unseen:,} more not looked at yet; next: certwright apply"] if unseen else []
    holds = [*wide, *(hold for item in worst if _is_served(item) for hold in _told_holds(item))]
    lines = [*head, f"{sites}: {counts}", *more, *(line for hold in holds for line in _hold_lines(hold, now))]
    return "\n".join([*lines, *(["", _table(worst, now).rstrip()] if worst else [])]) + "\n"


def _told_holds(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give a site's failed holds with its name."""
    return [{"site": at(item, "metadata", "name"), **hold} for hold in _failed_holds(item)]


def _hold_lines(hold: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Tell of a hold, when it ends and what a person does next."""
    subjects = ((name, hold.get(name)) for name in ("site", "target"))
    where = " on ".join(f"{name}/{shown(value)}" for name, value in subjects if value)
    yield ""
    yield f"held{f' for {where}' if where else ''}: {shown(hold.get('reason'))}: {shown(hold.get('message'))}"
    until, ends = parsed(hold.get("until")), hold.get("endsWhen")
    if until is not None:
        yield f"  ends {relative(until, now)}"
    elif ends:
        yield f"  ends when {shown(ends)}"
    count = hold.get("count")
    step = next_step(shown(hold.get("reason")), hold.get("site"), count if isinstance(count, int) else None)
    if step is not None:
        yield f"  next: {step}"


def _badness(item: Mapping[str, Any], now: datetime) -> tuple[int, float, str]:
    """Order by grade, then by what ends first; a site without a certificate counts as ending now."""
    end = parsed(at(item, "status", "certificate", "notAfter")) or now
    return (_GRADES[grade(item)], end.timestamp(), str(at(item, "metadata", "name")))


def _table(items: Sequence[Mapping[str, Any]], now: datetime) -> str:
    rows = [_row(item, now) for item in items]
    return table(("NAME", "REASON", "EXPIRES", "TRIED AGAIN", "NEXT STEP"), rows)


def _row(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    name = shown(at(item, "metadata", "name"))
    reason = _reason(item)
    return (
        name,
        reason,
        _when(at(item, "status", "certificate", "notAfter"), now),
        _when(_next_try(item), now),
        next_step(reason, name) or "wait",
    )


def _reason(item: Mapping[str, Any]) -> str:
    """Give why a site is not Ready, or, of one that is, what its last attempt failed by or what holds it."""
    if not _is_ready(item):
        return shown(condition(item, "Ready").get("reason") or "NotYetSeen")
    if _is_moved(item):
        return "MovedStore"
    held = next((hold.get("reason") for hold in _failed_holds(item)), "Backoff")
    return shown(at(item, "status", "failures", "last", "reason") or held)


def _next_try(item: Mapping[str, Any]) -> object:
    times = [hold.get("until") for hold in listed(at(item, "status", "holds")) if isinstance(hold, dict)]
    known = sorted(str(time) for time in times if time)
    return known[0] if known else at(item, "status", "failures", "nextAttempt")


def _when(text: object, now: datetime) -> str:
    moment = parsed(text)
    return relative(moment, now) if moment is not None else "-"
