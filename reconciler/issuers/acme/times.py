"""Times as a CA writes them, in UTC: whatever a server may send, none of them raises."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def http_time(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110 section 5.6.7): without a zone it stays without one. None for what is no date."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is None else in_utc(date)


def in_utc(time: datetime) -> datetime:
    """Give a time in UTC, where one without a zone is already; what lies beyond the years 1 to 9999 is their limit."""
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _LAST if time.year == _LAST.year else _FIRST
