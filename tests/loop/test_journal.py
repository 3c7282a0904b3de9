"""What `run` writes to its log."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from reconciler.loop.journal import Journal
from reconciler.model.changes import Hold, Reason
from reconciler.model.outcomes import Outcome, Status
from tests.execute.plans import issue

if TYPE_CHECKING:
    from reconciler.engine import Report


@pytest.mark.parametrize(
    ("reason", "level", "said"),
    [("HeldBy", "INFO", "left issue site/a"), ("DnsFailed", "WARNING", "failed issue site/a")],
)
def test_what_a_person_has_in_hand_is_no_warning(
    caplog: pytest.LogCaptureFixture, reason: str, level: str, said: str
) -> None:
    with caplog.at_level("DEBUG", "certwright"):
        Journal().outcome(
            Outcome(issue("a"), Status.FAILED, reason, "site a is held by process 7 (certwright request)")
        )
    (record,) = caplog.records
    assert (record.levelname, record.getMessage().startswith(said)) == (level, True), record.getMessage()
    assert "held by process 7" in record.getMessage()


def test_a_reload_under_way_is_not_waited_for_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """It may take up the very change that seems to wait; where it did not, the wait is told once it is over."""
    later = datetime(2026, 1, 1, tzinfo=UTC)
    hold = Hold(Reason.RELOAD_DELAYED, "web was reloaded a moment ago", site="a", target="web", until=later)
    report = SimpleNamespace(
        declared=SimpleNamespace(sites={"a": None}, names={"a"}),
        plan=SimpleNamespace(holds=(hold,)),
        scope=SimpleNamespace(full=False),
    )
    journal = Journal()
    with caplog.at_level("DEBUG", "certwright"):
        journal.holds(cast("Report", report), {"web"})
        assert caplog.messages == []
        for _ in range(2):
            journal.holds(cast("Report", report), {"other"})
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("hold ReloadDelayed site/a on target/web")
