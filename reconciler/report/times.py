"""Times as people read them. Imports nothing of the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_STEPS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_KEEP: Final = 2


def rfc3339(at: datetime | None) -> str | None:
    """Give RFC 3339 text in UTC, to the second."""
    return None if at is None else at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parsed(text: object) -> datetime | None:
    """Read RFC 3339 text; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def human(duration: timedelta) -> str:
    """Give a duration in its greatest unit; in two below three of it: `12 d`, `2 d 4 h`, `5 s`."""
    seconds = max(0, int(duration.total_seconds()))
    for number, (size, unit) in enumerate(_STEPS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            smaller = _STEPS[number + 1] if number + 1 < len(_STEPS) else None
            if whole <= _KEEP and smaller is not None and rest >= smaller[0]:
                return f"{whole} {unit} {rest // smaller[0]} {smaller[1]}"
            return f"{whole} {unit}"
    return "0 s"


def relative(at: datetime, now: datetime) -> str:
    """Give `in 12 d` or `3 h ago`; `now` within a second."""
    if abs(at - now) < timedelta(seconds=1):
        return "now"
    return f"in {human(at - now)}" if at > now else f"{human(now - at)} ago"


def both(at: datetime, now: datetime) -> str:
    """Give the time and how far away it is."""
    return f"{rfc3339(at)} ({relative(at, now)})"
