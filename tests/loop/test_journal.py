"""What `run` writes to its log."""

from __future__ import annotations

import pytest

from reconciler.loop.journal import Journal
from reconciler.model.outcomes import Outcome, Status
from tests.execute.plans import issue


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
