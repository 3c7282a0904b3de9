"""A plan that was reviewed: read back from `diff -o json`, and compared with the plan of now."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.changes import Change, Plan

_LIMIT: Final = 256 << 20
_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The part of the plan of now that was reviewed, and what was reviewed and is refused, with the reason."""

    plan: Plan
    refused: Mapping[str, str]


def read_plan(path: str) -> Mapping[str, str]:
    """Read a saved plan: the ids of its changes with a few words about each. UsageError if it is none."""
    from reconciler.doors.files import api as files

    try:
        raw = (
            sys.stdin.buffer.read(_LIMIT)
            if path == "-"
            else files.read_file(str(Path(path).absolute()), _LIMIT, follow=True)
        )
        data = json.loads(raw)
    except Failed as failure:
        raise UsageError(f"the plan cannot be read: {failure}") from None
    except (ValueError, RecursionError):
        data = None
    changes = data.get("changes") if isinstance(data, dict) and data.get("kind") == "Plan" else None
    if not isinstance(changes, list):
        raise UsageError(f"{path} is no plan: save one with `certwright diff -o json`")
    return dict(_entry(one, path) for one in changes)


def _entry(change: object, path: str) -> tuple[str, str]:
    identity = change.get("id") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise UsageError(f"{path} has a change without an id: save the plan again with `certwright diff -o json`")
    words = (change.get("verb"), change.get("site") or change.get("issuer"), change.get("target"), change.get("reason"))
    return identity, " ".join(str(word)[:200] for word in words if word)


def choose(plan: Plan, saved: Mapping[str, str]) -> Chosen:
    """Give the reviewed part of a plan; refused is what is no longer planned, or needs what was never reviewed."""
    fresh = {change.id: change for change in plan.changes}
    refused = {name: "it is no longer planned: what it rested on has changed" for name in saved if name not in fresh}
    chosen = {name for name in saved if name in fresh}
    while found := _needing(fresh, chosen):
        for name, need in found.items():
            refused[name] = f"it needs first what was not reviewed: {need.verb.value} {need.subject}"
            chosen.discard(name)
    kept = tuple(change for change in plan.changes if change.id in chosen)
    return Chosen(replace(plan, changes=kept), refused)


def _needing(fresh: Mapping[str, Change], chosen: Iterable[str]) -> dict[str, Change]:
    """Give the chosen changes that come after one which is planned now and was not chosen."""
    known = set(chosen)
    return {
        name: fresh[before] for name in known for before in fresh[name].after if before in fresh and before not in known
    }
