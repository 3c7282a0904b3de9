"""What the loop says: one line for each thing done and why, one for each hold when it begins."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.doors import log
from reconciler.errors import HeldBy
from reconciler.model.changes import Reason, Verb
from reconciler.model.outcomes import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from reconciler.engine import Report
    from reconciler.errors import Problem
    from reconciler.model.changes import Change, Hold
    from reconciler.model.outcomes import Outcome

_FEW: Final = 20
_HOUR: Final = timedelta(hours=1)
_LEVELS: Final = {
    Status.DONE: logging.INFO,
    Status.SKIPPED: logging.DEBUG,
    Status.WAITING: logging.DEBUG,
    Status.FAILED: logging.WARNING,
}
_Key = tuple[str, str, str, str]


class Journal:
    """Writes to the log; remembers which holds it told, so that each is told once."""

    def __init__(self) -> None:
        """Have told nothing yet."""
        self._log = log.logger("run")
        self._told: dict[str, frozenset[_Key]] = {}
        self._fights: dict[str, datetime] = {}

    def say(self, message: str, *, level: int = logging.INFO) -> None:
        """Write a line."""
        self._log.log(level, "%s", message)

    def bug(self, message: str, error: BaseException) -> None:
        """Tell of a bug; where it stands, with `-v`."""
        trace = error if self._log.isEnabledFor(logging.DEBUG) else None
        self._log.critical("%s", f"{message}: {type(error).__name__}: {error}", exc_info=trace)

    def outcome(self, outcome: Outcome) -> None:
        """Tell how a change ended."""
        change, word = outcome.change, "left" if _is_held(outcome) else outcome.status.value
        why = f"{change.reason}: {change.message}" if change.message else f"{change.reason}"
        text = f"{word} {change.verb} {_where(change)} ({why})"
        ended = ": ".join(part for part in (str(outcome.reason), outcome.message) if part)
        again = f"; again at {_time(outcome.again)}" if outcome.again else ""
        shown = f" -> {ended}" if ended else ""
        self._log.log(_level(outcome), "%s", f"{text}{shown}{again}")

    def problems(self, found: Sequence[Problem]) -> None:
        """Tell what is wrong with the manifests."""
        for problem in found[:_FEW]:
            self.say(f"manifest: {problem}", level=logging.WARNING)
        if len(found) > _FEW:
            self.say(f"manifest: and {len(found) - _FEW} more; `certwright validate` lists all", level=logging.WARNING)

    def fight(self, change: Change, until: datetime) -> None:
        """Tell, once for each time, that somebody else keeps changing what we repair."""
        files = ", ".join(file.path for file in change.files[:3])
        word = f"DriftFight: {files} differs again after three repairs within an hour; next repair at {_time(until)}"
        if self._fights.get(files) != until:
            self._fights = {name: at for name, at in self._fights.items() if at > until - _HOUR} | {files: until}
            self.say(word, level=logging.WARNING)

    def looked(self, report: Report, due: str) -> None:
        """Tell what a look at everything found."""
        loud, plan = len(report.declared.sites), report.plan
        self.say(
            f"looked at {counted(loud + report.quiet, 'site')}: {report.quiet} unchanged, "
            f"{counted(len(plan.changes), 'change')}, {counted(len(plan.holds), 'hold')}, next due {due}"
        )

    def holds(self, report: Report, busy: Collection[str] = ()) -> None:
        """Tell the holds that began with this pass; many of one reason are one line.

        That a reload waits for one of a `busy` target is not told yet: it may be the one that takes up the change.
        """
        now: dict[str, set[_Key]] = {name: set() for name in report.declared.sites}
        begun: list[Hold] = []
        for hold in report.plan.holds:
            if hold.reason is Reason.RELOAD_DELAYED and hold.target in busy:
                continue
            key = (hold.reason.value, hold.site or "", hold.target or "", hold.ends_when or "")
            now.setdefault(hold.site or "", set()).add(key)
            if key not in self._told.get(hold.site or "", ()):
                begun.append(hold)
        if report.scope.full:
            for name in self._told.keys() - report.declared.names:
                now.setdefault(name, set())
        self._remember(now)
        self._tell(begun)

    def _remember(self, now: dict[str, set[_Key]]) -> None:
        for name, keys in now.items():
            if keys:
                self._told[name] = frozenset(keys)
            else:
                self._told.pop(name, None)

    def _tell(self, begun: Sequence[Hold]) -> None:
        counts = Counter(hold.reason for hold in begun)
        for hold in begun:
            if counts[hold.reason] <= _FEW:
                level = logging.WARNING if hold.failed else logging.INFO
                self._log.log(level, "%s", f"hold {hold.reason} {_subject(hold)}: {hold.message}; {_end(hold)}")
        for reason, count in counts.items():
            if count > _FEW:
                sample = next(hold for hold in begun if hold.reason is reason)
                self._log.warning("%s", f"hold {reason}: {count} sites, such as {_subject(sample)}: {sample.message}")


def _is_held(outcome: Outcome) -> bool:
    """Tell whether another process is at work on it: a person's `apply` or `request` is no fault of ours."""
    return outcome.reason == HeldBy.__name__


def _level(outcome: Outcome) -> int:
    if _is_held(outcome):
        return logging.INFO
    return (
        logging.DEBUG
        if outcome.status is Status.DONE and outcome.change.verb is Verb.REFRESH
        else _LEVELS[outcome.status]
    )


def _where(change: Change) -> str:
    on = f" on {change.target}" if change.target and change.subject != f"target/{change.target}" else ""
    return change.subject + on


def _subject(hold: Hold) -> str:
    named = [f"site/{hold.site}"] if hold.site else []
    named += [f"target/{hold.target}"] if hold.target else []
    return " on ".join(named) or "all"


def _end(hold: Hold) -> str:
    return f"until {_time(hold.until)}" if hold.until else f"until {hold.ends_when or 'something changes'}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "never"


def counted(count: int, what: str) -> str:
    """Say how many of a thing."""
    return f"{count} {what}{'' if count == 1 else 's'}"
