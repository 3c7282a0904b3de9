"""What is a wait, and what a failure: the one table, for the exit code of every verb and the grades of `status`.

Keyed by the word, so it imports no model.
"""

from __future__ import annotations

from typing import Final

WAITS: Final = 4
"""The exit code where there are only waits that are nobody's failure."""
NOBODYS: Final = frozenset({"RateLimited", "Paused"})
ASKED_FOR: Final = frozenset(
    {
        "Suspended",
        "ReloadDelayed",
        "PruneDisabled",
        "HandoverPending",
        "WouldLoseTrust",
        "ImportEnds",
        "InFlight",
        "WaitingForSolve",
        "WaitingForRequest",
    }
)
"""Waits that the manifest asked for, or that end by themselves."""
BY_HAND: Final = frozenset({"WaitingForSolve", "WaitingForRequest"})
"""Those of them in which a person has the order in hand."""
PERSONS: Final = frozenset({"Pinned"})
"""What a person did on purpose: no failure by itself, but a site that is not Ready for it is one."""
NOT_YET: Final = frozenset({"Missing", "Placeholder", "NotYetSeen", "RenewalDue"})
"""What the next pass does: a wait for who looks between two passes, a failure where a pass has just ended."""


def is_failed_hold(reason: str, *, failed: bool) -> bool:
    """Tell whether a hold is a failure."""
    return failed or reason not in NOBODYS | ASKED_FOR | PERSONS


def is_wait(reason: str) -> bool:
    """Tell whether a site that is not Ready for this reason only waits, once a pass has ended."""
    return reason in NOBODYS | ASKED_FOR
