"""The plan for a page or a comment on a change: a heading that is ours alone, all else in a fence nothing can leave."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.report.plan_text import plan_text, summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.errors import Problem
    from reconciler.model.changes import Plan

_MOST: Final = 60_000
_LEAST_FENCE: Final = 3


def plan_markdown(plan: Plan, now: datetime, errors: Sequence[Problem] = ()) -> str:
    """Give Markdown of at most about 60,000 characters; names and messages of others stand within the fence only."""
    text = plan_text(plan, now, errors)
    if len(text) > _MOST:
        text = text[:_MOST].rsplit("\n", 1)[0] + "\n... cut; `certwright diff` shows all\n"
    return f"### certwright: {summary(plan, errors)}\n\n{fenced(text, 'diff')}"


def fenced(text: str, language: str = "") -> str:
    """Put text in a fence that is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(_LEAST_FENCE, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
