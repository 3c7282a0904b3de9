"""R38: what a CA or a name server said cannot leave its place in a terminal or on a page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model.changes import Change, Hold, Plan, PlannedFile, Reason, Verb
from reconciler.model.names import Part
from reconciler.model.observed import FileChange
from reconciler.report.plan_markdown import plan_markdown
from reconciler.report.plan_text import plan_text
from reconciler.report.status_text import status_text

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOSTILE = [
    "\x1b]0;x\x07",
    "\u202egnp.exe",
    "<script>alert(1)</script>",
    "[x](javascript:1)",
    "@all",
    "`````\n# h",
    "\r\n::",
]


def _plan(text: str) -> Plan:
    file = PlannedFile(f"/x{text}", Part.CONFIG, FileChange.UPDATE, "a", f"b {text}")
    change = Change(Verb.INSTALL, "site/a", Reason.DRIFTED, text, site="a", target="web", files=(file,))
    return Plan((change,), (Hold(Reason.BACKOFF, text, site="a", ends_when=text),))


@pytest.mark.parametrize("text", HOSTILE)
def test_terminal_sees_no_control_codes(text: str) -> None:
    item = {"metadata": {"name": text}, "status": {"conditions": [{"type": "Ready", "reason": text}]}}
    for shown in (plan_text(_plan(text), NOW), status_text([item], NOW)):
        assert all(char.isprintable() for char in shown.replace("\n", ""))


@pytest.mark.parametrize("text", HOSTILE)
def test_page_holds_it_all_within_one_fence(text: str) -> None:
    lines = plan_markdown(_plan(text), NOW).splitlines()
    marker = lines[2].removesuffix("diff")
    assert set(marker) == {"`"}
    assert [number for number, line in enumerate(lines) if line.startswith(marker)] == [2, len(lines) - 1]
    assert lines[0] == "### certwright: plan: 1 to install; 1 held."
