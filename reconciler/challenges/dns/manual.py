"""TXT records by a person: what must be published is printed, and nothing is written."""

from __future__ import annotations


class Manual:
    """Leaves it to a person; the wait for the record is all that is done."""

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Do nothing: the record is printed while it is waited for."""

    def remove(self, zone: str, name: str, value: str) -> None:
        """Do nothing: it is not ours."""


def record_line(name: str, ttl: int, value: str) -> str:
    """Give a record as it stands in a zone file, the name absolute (RFC 1035 section 5.1)."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}. {ttl} IN TXT "{quoted}"'
