"""Which names an order has, and how each is proven first: what the failures of single names teach.

A name is tried by each of its methods before it waits: the method that failed least comes first, among equals the one
that proved it last, then the order declared. What was learnt is forgotten with the spec that it happened to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, NamesFailed, Stalled
from reconciler.model.observed import Memory, NameMemory, Revision
from reconciler.plan.backoff import after_failure, waits_until
from reconciler.plan.issuing.renewal import lifetime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.errors import CertwrightError
    from reconciler.model.desired import DesiredSite, MethodSpec
    from reconciler.model.observed import Live

LATE_SHARE: Final = 6
RETRY_AT: Final = "certwright/retryAt"


def remembered(desired: DesiredSite, memory: Memory) -> Mapping[str, NameMemory]:
    """Give what is remembered of declared names, if it happened to this spec."""
    if not memory.names:
        return {}
    names = set(desired.names)
    return {name: one for name, one in memory.names.items() if name in names and one.failures.digest == desired.digest}


def ways(desired: DesiredSite, live: Live, memory: Memory) -> Mapping[str, tuple[MethodSpec, ...]]:
    """Give each name's methods in the order in which they are to be tried now."""
    proven = live.meta.challenges if isinstance(live, Revision) and not live.meta.placeholder else {}
    known = remembered(desired, memory)

    def ordered(name: str, methods: tuple[MethodSpec, ...]) -> tuple[MethodSpec, ...]:
        failed = known[name].methods if name in known else {}
        worked = proven[name].method if name in proven else None
        return tuple(sorted(methods, key=lambda method: (failed.get(method.name, 0), method.name != worked)))

    return {name: ordered(name, methods) for name, methods in desired.methods.items()}


def is_late(live: Live, now: datetime) -> bool:
    """Tell whether a sixth of the lifetime of the certificate in use is left, or less. Without one it is never late."""
    if not isinstance(live, Revision) or live.meta.placeholder:
        return False
    return (live.facts.not_after - now) * LATE_SHARE <= lifetime(live)


def left_out(desired: DesiredSite, live: Live, memory: Memory, now: datetime) -> Mapping[str, NameMemory]:
    """Give the names that an order made now leaves out: those that failed by all their methods and still wait.

    Never all of them.
    """
    mode = desired.on_name_failure
    known = remembered(desired, memory) if mode != "fail" and memory.names else {}
    asked = desired.annotations.get(RETRY_AT) if known else None
    if asked is not None and asked != memory.handled_retry_at:
        return {}
    drops = mode == "drop" or is_late(live, now)
    out = {
        name: one
        for name, one in known.items()
        if (one.dropped or (drops and _exhausted(desired, name, one))) and _waits(desired, one, now)
    }
    return out if len(out) < len(desired.names) else {}


def _exhausted(desired: DesiredSite, name: str, one: NameMemory) -> bool:
    return sum(one.methods.values()) >= len(desired.methods.get(name, ()))


def _waits(desired: DesiredSite, one: NameMemory, now: datetime) -> bool:
    return one.failures.stalled is not None or waits_until(one.failures, desired.digest, now) is not None


def ordered_names(desired: DesiredSite, live: Live, memory: Memory, now: datetime) -> tuple[str, ...]:
    """Give the names that an order made now has."""
    out = left_out(desired, live, memory, now)
    return tuple(name for name in desired.names if name not in out)


def after_names(
    desired: DesiredSite, live: Live, memory: Memory, error: CertwrightError, now: datetime
) -> tuple[Mapping[str, NameMemory], bool]:
    """Give what is remembered of names after a failure, and whether it is worth while to go on at once.

    It is where each name that failed has another way to try, or is left out from now on, and nobody asked us to wait.
    """
    failures = _single(error, desired)
    known = remembered(desired, memory)
    if not failures:
        return known, False
    after = {**known, **{name: _counted(desired, name, known.get(name), one, now) for name, one in failures.items()}}
    out = left_out(desired, live, replace(memory, names=after), now)
    asked_to_wait = any(isinstance(one, Failed) and one.until is not None for one in failures.values())
    going = (name in out or _has_another(desired, name, known.get(name), one) for name, one in failures.items())
    return after, not asked_to_wait and all(going)


def after_success(desired: DesiredSite, memory: Memory, issued: tuple[str, ...]) -> Mapping[str, NameMemory]:
    """Give what is remembered once a certificate for these names is there."""
    rest = {name: one for name, one in remembered(desired, memory).items() if name not in issued}
    return {name: replace(one, dropped=True) for name, one in rest.items()}


def _single(error: CertwrightError, desired: DesiredSite) -> dict[str, Failed | Stalled]:
    """Give the failures of single names by their names."""
    parts: tuple[Failed | Stalled, ...] = ()
    if isinstance(error, NamesFailed):
        parts = error.failures
    elif isinstance(error, Failed | Stalled):
        parts = (error,)
    return {one.hostname: one for one in parts if one.hostname is not None and one.hostname in desired.names}


def _counted(
    desired: DesiredSite, name: str, former: NameMemory | None, error: Failed | Stalled, now: datetime
) -> NameMemory:
    former = former or NameMemory()
    failures = after_failure(former.failures, error, now, desired.digest)
    all_methods = [method.name for method in desired.methods.get(name, ())]
    counts = {method: former.methods.get(method, 0) for method in all_methods}
    failed = error.method if isinstance(error, Failed) else None
    if failed is None or failed not in counts:
        # no way helps: the CA refuses the name itself
        counts = {method: count + 1 for method, count in counts.items()}
    else:
        # a method that comes before the failed one was not offered: it passes as tried
        counts = {method: max(count, counts[failed]) for method, count in counts.items()}
        counts[failed] += 1
    return NameMemory(failures, counts, former.dropped)


def _has_another(desired: DesiredSite, name: str, former: NameMemory | None, error: Failed | Stalled) -> bool:
    """Tell whether another method has failed less often; not if it was not offered, so that the failed one was used."""
    method = error.method if isinstance(error, Failed) else None
    counts = {one.name: (former.methods.get(one.name, 0) if former else 0) for one in desired.methods.get(name, ())}
    if method is None or method not in counts:
        return False
    mine = counts.pop(method)
    return bool(counts) and min(counts.values()) == mine
