"""When a certificate is renewed: a share of its own lifetime, chosen once for a revision and then kept.

An absolute time before the end is clamped to half the lifetime: ten days before the end of a six-day certificate is
before its birth, and every pass would renew it. The jitter makes it earlier only, and comes from a hash.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.observed import RenewalChoice, Revision
from reconciler.plan.digests import fraction_of

if TYPE_CHECKING:
    from reconciler.model.desired import Renewal

SECOND: Final = timedelta(seconds=1)
JITTER_SHARE: Final = 20
FLOOR_SHARE: Final = 20
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def lookahead_text(lookahead: int | timedelta) -> str:
    """Give the lookahead the way a manifest spells it: `33%`, `10d`, `90s`."""
    return f"{lookahead}%" if isinstance(lookahead, int) else duration_text(lookahead)


def duration_text(duration: timedelta) -> str:
    """Give a duration in the greatest unit that divides it: `36h`, `10d`."""
    seconds = int(duration.total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds and seconds % size == 0), (1, "s"))
    return f"{seconds // size}{unit}"


def lifetime(revision: Revision) -> timedelta:
    """Give the whole lifetime; both ends of the validity are inclusive (RFC 5280 section 4.1.2.5)."""
    return revision.facts.not_after - revision.facts.not_before + SECOND


def renew_at(site: str, revision: Revision, lookahead: int | timedelta) -> tuple[datetime, bool]:
    """Give the renewal instant of a revision, and whether the lookahead was clamped to half the lifetime."""
    life = lifetime(revision)
    before, clamped = _before(life, lookahead)
    jitter = life / JITTER_SHARE * fraction_of(site, revision.facts.serial)
    at = max(revision.facts.not_after - before - jitter, revision.facts.not_before, _floor(revision))
    return min(at, revision.facts.not_after).replace(microsecond=0), clamped


def _before(life: timedelta, lookahead: int | timedelta) -> tuple[timedelta, bool]:
    if isinstance(lookahead, int):
        return life * min(max(lookahead, 1), 90) / 100, False
    most = life / 2
    return min(max(lookahead, timedelta(0)), most), lookahead > most


def _floor(revision: Revision) -> datetime:
    """A twentieth of what was left at the time of issue: a backdated certificate must not be born due."""
    left = revision.facts.not_after - revision.meta.at
    return revision.meta.at + left / FLOOR_SHARE if left > timedelta(0) else revision.facts.not_before


def choose_renewal(site: str, revision: Revision, renewal: Renewal, kept: RenewalChoice | None) -> RenewalChoice:
    """Give the renewal instant of the live revision: the kept one if it is of this revision and this lookahead.

    `reason` is `Lookahead` or `LookaheadClamped` (a duration of more than half the lifetime).
    """
    spelled = lookahead_text(renewal.lookahead)
    if kept is not None and kept.revision == revision.id and kept.lookahead == spelled and _sane(kept.at, revision):
        return kept
    at, clamped = renew_at(site, revision, renewal.lookahead)
    return RenewalChoice(revision.id, at, "LookaheadClamped" if clamped else "Lookahead", spelled)


def _sane(at: datetime, revision: Revision) -> bool:
    return revision.facts.not_before <= at <= revision.facts.not_after


def renewal_told(choice: RenewalChoice, revision: Revision) -> str:
    """Say in a sentence why the instant is what it is, clamping included."""
    if choice.reason == "LookaheadClamped":
        half = duration_text(timedelta(seconds=int(lifetime(revision).total_seconds() / 2)))
        return f"lookahead {choice.lookahead} is more than half the lifetime and was clamped to {half}"
    return f"lookahead {choice.lookahead}"
