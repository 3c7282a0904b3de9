"""Domain names as text: lower case, no final dot, only what a hostname with underscores may hold."""

from __future__ import annotations

import re
from typing import Final

from reconciler.doors.dns_client._failures import DnsFailed
from reconciler.model.text import clean

HOPS: Final = 8
_LABELS: Final = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_LONGEST: Final = 253


def checked_name(text: str) -> str:
    """Give a name in lower case without its final dot. Raises DnsFailed(DnsBroken) for strange bytes."""
    name = text.lower().removesuffix(".")
    if len(name) > _LONGEST or _LABELS.fullmatch(name) is None:
        raise DnsFailed("DnsBroken", f"{clean(text, 100)} is no name that a TXT record can be written at")
    return name


def below(name: str, zone: str) -> bool:
    """Tell whether a name is the zone's apex or stands below it."""
    return zone in {"", name} or name.endswith(f".{zone}")


def parent(name: str) -> str:
    """Give the name without its first label; "" above a top-level domain."""
    return name.partition(".")[2]
