"""When a failed piece of work is tried again: two counters, one for our own side and one for the CA's.

Our own side (self-test, target) heals in seconds: 5 s doubling to 5 min, or slower where a person must act. The CA
counts failures against us: 1, 10, 100 min, then a day, but never more than an eighth of what is left of the certificate
in use, so that a short-lived one is not waited to death.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from reconciler.errors import CertwrightError, Failed, Stalled, Transient, Waiting
from reconciler.model.changes import Hold, Reason
from reconciler.model.observed import Failures, LastFailure
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_FIRST: Final = timedelta(seconds=5)
LOCAL_MOST: Final = timedelta(minutes=5)
CA_STEPS: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), timedelta(days=1))
CA_EXPIRED_MOST: Final = timedelta(hours=1)
# a CA that says "again in a second" each time, or names a time that is over, would be asked for ever without a pause
CA_HASTE_LEAST: Final = timedelta(minutes=1)
CA_HASTE_MOST: Final = timedelta(minutes=10)
# a name that leads nowhere costs nobody anything, and mends itself seldom
ASTRAY_STEPS: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
# each try puts what was refused where the server finds it, for as long as its test takes
REJECTED_STEPS: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
# who answers instead of us was configured by a person, and each try costs the server a reload
ELSEWHERE_STEPS: Final = (timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
_STEPS: Final[Mapping[str, tuple[timedelta, ...]]] = {
    Reason.UNROUTABLE: ASTRAY_STEPS,
    Reason.CAA_FORBIDS: ASTRAY_STEPS,
    Reason.REJECTED_BY_SERVER: REJECTED_STEPS,
    Reason.NOT_INCLUDED: ELSEWHERE_STEPS,
    Reason.NAME_SERVED_ELSEWHERE: ELSEWHERE_STEPS,
}
_TARGETS_OWN: Final = (
    Reason.REJECTED_BY_SERVER,
    Reason.DISK_FULL,
    Reason.READ_ONLY_FILESYSTEM,
    Reason.PERMISSION_DENIED,
    Reason.NO_SUCH_DIRECTORY,
    Reason.DISK_ERROR,
)
"""What a site's files failed by in a target; anything else is the target's own trouble."""
ASTRAY: Final = (Reason.UNROUTABLE, Reason.CAA_FORBIDS)
GREATEST: Final = timedelta(days=1)
GREATEST_WAIT: Final = timedelta(days=7)
WAITS: Final = frozenset(
    {Reason.RATE_LIMITED, Reason.PAUSED, Reason.CLOCK_WRONG, Reason.IN_FLIGHT, Reason.WAITING_FOR_SOLVE}
)
NEVER_RELEASED: Final = frozenset({Reason.RATE_LIMITED, Reason.PAUSED})
_DOUBLINGS: Final = 10


def next_attempt(failures: Failures, now: datetime, not_after: datetime | None) -> datetime:
    """Give the time of the next attempt after a failure at `now`; `not_after` is the end of the certificate in use."""
    delays = [timedelta(0)]
    if failures.local:
        delays.append(min(LOCAL_MOST, LOCAL_FIRST * 2 ** min(failures.local - 1, _DOUBLINGS)))
    if failures.ca:
        step = CA_STEPS[min(failures.ca, len(CA_STEPS)) - 1]
        delays.append(min(step, _most(now, not_after)))
    return now + max(delays)


def _most(now: datetime, not_after: datetime | None) -> timedelta:
    if not_after is None:
        return GREATEST
    if not_after <= now:
        return CA_EXPIRED_MOST
    return max(CA_STEPS[0], (not_after - now) / 8)


def after_failure(
    failures: Failures | None, error: CertwrightError, now: datetime, digest: str, not_after: datetime | None = None
) -> Failures:
    """Give the failures with one more; those of another spec `digest` are forgotten.

    `Stalled` sets `stalled`, `Waiting` only moves the time, `Failed.until` and `Transient.retry_after` overrule the
    backoff; a CA that wishes to be asked soon is asked ever later, from a minute to ten.
    """
    former = failures if failures is not None and failures.digest == digest else Failures()
    counted = replace(
        _counted(former, error),
        since=former.since or now,
        last=_last(error, now),
        digest=digest,
        stalled=None,
        limit=error.until if isinstance(error, Waiting) and _of_ca(error) else None,
    )
    if isinstance(error, Stalled):
        return replace(counted, stalled=error.ends_when, next_attempt=None)
    wished = _wished(error, counted, now) or _stepped(error, counted, now)
    at = next_attempt(counted, now, not_after) if wished is None else min(max(wished, now), now + GREATEST_WAIT)
    return replace(counted, next_attempt=at)


def _stepped(error: CertwrightError, counted: Failures, now: datetime) -> datetime | None:
    steps = _STEPS.get(error.reason) if isinstance(error, Failed) else None
    return None if steps is None else now + steps[min(max(counted.local, 1), len(steps)) - 1]


def _counted(former: Failures, error: CertwrightError) -> Failures:
    if isinstance(error, Waiting):
        return former
    if isinstance(error, Failed) and error.blame == "ca":
        return replace(former, ca=former.ca + 1)
    return replace(former, local=former.local + 1)


def _wished(error: CertwrightError, counted: Failures, now: datetime) -> datetime | None:
    if isinstance(error, Waiting | Failed):
        if error.until is None or not _of_ca(error):
            return error.until
        lasts = now - (counted.since or now)
        return max(error.until, now + min(max(lasts, CA_HASTE_LEAST), CA_HASTE_MOST))
    if isinstance(error, Transient) and error.retry_after is not None:
        return now + timedelta(seconds=min(max(error.retry_after, 0.0), GREATEST_WAIT.total_seconds()))
    return None


def _of_ca(error: Waiting | Failed) -> bool:
    return error.blame == "ca" if isinstance(error, Failed) else error.reason == Reason.RATE_LIMITED


def _last(error: CertwrightError, now: datetime) -> LastFailure:
    reason = error.reason if isinstance(error, Failed | Waiting | Stalled) else "Failed"
    facts = error if isinstance(error, Failed) else None
    return LastFailure(
        at=now,
        reason=reason,
        detail=clean(str(error)),
        hostname=error.hostname if isinstance(error, Failed | Stalled) else None,
        method=facts.method if facts else None,
        type=clean(facts.type) if facts and facts.type else None,
        url=clean(facts.url) if facts and facts.url else None,
    )


def waits_until(failures: Failures | None, digest: str | None, now: datetime) -> datetime | None:
    """Give the instant before which nothing is tried; None if it is due. `digest` None: whatever spec it happened to.

    A stored instant beyond the greatest backoff comes from a wrong clock and counts as due, unless the other side
    wished it: it says so by its reason, or by a failure that was noted before now.
    """
    if failures is None or failures.next_attempt is None or failures.next_attempt <= now:
        return None
    if digest is not None and failures.digest not in ("", digest):
        return None
    last = failures.last
    wished = last is not None and (last.at <= now or _timed(last.reason) is not None)
    longest = GREATEST_WAIT if wished else GREATEST
    return failures.next_attempt if failures.next_attempt <= now + longest else None


def _timed(reason: str) -> Reason | None:
    return next((known for known in WAITS if known.value == reason), None)


def hold_for(  # noqa: PLR0913  who it is for, and what it rests on
    failures: Failures | None,
    digest: str,
    now: datetime,
    *,
    site: str,
    released: bool,
    kind: Literal["issue", "target"] = "issue",
    target: str | None = None,
) -> Hold | None:
    """Give the hold that earlier failures demand, None if the work may be tried. `released`: a person said retry."""
    if failures is None:
        return None
    if failures.stalled is not None and not released and failures.digest in ("", digest):
        ends = failures.stalled or "the manifest changes"
        return Hold(Reason.STALLED, _told(failures), site=site, target=target, ends_when=ends, failed=True)
    until = waits_until(failures, digest, now)
    if until is None:
        return None
    timed = _timed(failures.last.reason) if failures.last else None
    if released and timed not in NEVER_RELEASED:
        return None
    reason = timed or (_of_issue(failures) if kind == "issue" else _of_target(failures))
    return Hold(reason, _told(failures), site=site, target=target, until=until, failed=timed is None)


def _of_issue(failures: Failures) -> Reason:
    last = failures.last.reason if failures.last is not None else ""
    return next((own for own in (Reason.SELF_TEST_FAILED, *ASTRAY) if own.value == last), Reason.BACKOFF)


def _of_target(failures: Failures) -> Reason:
    last = failures.last.reason if failures.last is not None else ""
    return next((own for own in _TARGETS_OWN if own.value == last), Reason.TARGET_BROKEN)


def _told(failures: Failures) -> str:
    tries = f"{failures.count} attempt{'s' if failures.count != 1 else ''} failed"
    if failures.last is None:
        return tries
    where = f"{failures.last.hostname}: " if failures.last.hostname else ""
    words = where + failures.last.detail.removeprefix(where)
    return f"{tries}: {words}" if failures.count else words
