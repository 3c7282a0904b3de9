"""What came of it: outcomes of changes, and the conditions that a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from reconciler.model.changes import Change, Reason


class Status(StrEnum):
    """How a change ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one change ended. `again` is when to look at the subject again; `revision` what an `issue` made.

    `blame`, of a failure, tells whose backoff it takes. `beside`: the plan has no such change; it had to be done to a
    site for the sake of others.
    """

    change: Change
    status: Status
    reason: str = ""
    message: str = ""
    again: datetime | None = None
    revision: str | None = None
    beside: bool = False
    blame: Literal["local", "ca"] = "local"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a site, the way kubectl users know it."""

    type: Literal["Issued", "Installed", "Served", "Covered", "Ready", "Stalled", "Moved"]
    status: Literal["True", "False", "Unknown"]
    reason: Reason | str
    message: str
