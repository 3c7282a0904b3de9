"""The plan for a person.

One block for each site and target, signs, reasons, diffs, what is held and until when, and the cost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason, Verb
from reconciler.report.hunks import file_diff, file_line, visible
from reconciler.report.reasons import next_step
from reconciler.report.times import both

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from reconciler.errors import Problem
    from reconciler.model.changes import Change, Hold, Plan

SIGN: Final = {
    Verb.REGISTER: "+",
    Verb.ISSUE: "+",
    Verb.ACTIVATE: "~",
    Verb.INSTALL: "+",
    Verb.UNINSTALL: "-",
    Verb.RELOAD: "~",
    Verb.ARCHIVE: "-",
    Verb.PUBLISH: "+",
    Verb.UNPUBLISH: "-",
    Verb.CLEAN_UP: "-",
    Verb.REFRESH: "~",
}
_FRESH: Final = frozenset({Reason.MISSING, Reason.NOT_INSTALLED, Reason.PLACEHOLDER})
FOLD_FROM: Final = 4


@dataclass(frozen=True, slots=True)
class Fold:
    """Changes that differ in their site alone, told once."""

    first: Change
    sites: tuple[str, ...]


def plan_text(plan: Plan, now: datetime, errors: Sequence[Problem] = ()) -> str:
    """Give the whole text, with a newline at its end."""
    blocks = [_block(subject, folds) for subject, folds in blocks_of(plan.changes)]
    blocks += [held] if (held := holds_text(plan.holds, now)) else []
    blocks += ["\n".join(visible(str(problem)) for problem in errors)] if errors else []
    blocks += [cost] if (cost := cost_text(plan.changes)) else []
    return "\n\n".join([*blocks, summary(plan, errors)]) + "\n"


def blocks_of(changes: Iterable[Change]) -> Iterator[tuple[str, list[Fold]]]:
    """Give the changes by subject, in the plan's order; those that repeat themselves over sites as one block."""
    keyed = [(_sameness(change), change) for change in changes]
    groups: dict[object, list[Change]] = {}
    for key, change in keyed:
        groups.setdefault(key, []).append(change)
    blocks: dict[str, list[Fold]] = {}
    for key, change in keyed:
        same = groups[key]
        if len(same) < FOLD_FROM:
            blocks.setdefault(change.subject, []).append(Fold(change, (change.site or "",)))
        elif same[0] is change:
            title = f"{len(same):,} sites, {_sameness_name(change)}"
            blocks.setdefault(title, []).append(Fold(change, tuple(one.site or one.subject for one in same)))
    yield from blocks.items()


def _sameness(change: Change) -> object:
    """Give what is equal for changes that differ in their site alone."""
    if change.site is None:
        return change.id
    site = change.site
    files = tuple(
        (_anonymous(file.path, site), file.part, file.change, file.rights, file.same, _texts(change, file))
        for file in change.files
    )
    message = _anonymous(change.message, site) if change.files else change.reason
    return (change.verb, change.target, change.issuer, change.reason, message, files, bool(change.removed))


def _texts(change: Change, file: object) -> object:
    before, after = getattr(file, "before", None), getattr(file, "after", None)
    return tuple(_anonymous(text, change.site or "") if text is not None else None for text in (before, after))


def _anonymous(text: str, site: str) -> str:
    """Put a mark where the site's name stands as a word: `/x/shop.pem`, but not the `a` of `/var` for a site `a`."""
    parts = text.split(site) if site else [text]
    made = parts[0]
    for part in parts[1:]:
        inside = _is_word(made[-1:]) or _is_word(part[:1])
        made += (site if inside else "{site}") + part
    return made


def _is_word(char: str) -> bool:
    return bool(char) and (char.isalnum() or char in "-_")


def _sameness_name(change: Change) -> str:
    where = f" on {change.target}" if change.target else f" by {change.issuer}" if change.issuer else ""
    return f"{change.verb.value}{where}, {change.reason.value}"


def _block(subject: str, folds: list[Fold]) -> str:
    return "\n".join([visible(subject), *(line for fold in folds for line in change_lines(fold))])


def change_lines(fold: Fold) -> Iterator[str]:
    """Give the lines of a change: sign, verb, reason, message; its names; its files with their diffs."""
    change, count = fold.first, len(fold.sites)
    sign = "~" if change.verb in (Verb.ISSUE, Verb.INSTALL) and change.reason not in _FRESH else SIGN[change.verb]
    if count > 1:
        where = f" on {change.target}" if change.target else f" by {change.issuer}" if change.issuer else ""
        yield f"  {sign} {change.verb.value} {count:,} sites{where}: the same change ({change.reason.value})"
        yield f"      {visible(', '.join(fold.sites[:3]))} and {count - 3:,} more; shown for {visible(fold.sites[0])}"
    where = f" on {change.target}" if change.target and change.site else f" by {change.issuer}" if change.issuer else ""
    yield f"  {sign} {change.verb.value}{where}: {change.reason.value}: {visible(change.message)}"
    yield from (f"      + {visible(name)}{_way(change, name)}" for name in change.added)
    yield from (f"      - {visible(name)}" for name in change.removed)
    for file in change.files:
        yield f"      {file_line(file)}"
        yield from (f"        {line}" for line in file_diff(file).splitlines())


def _way(change: Change, name: str) -> str:
    way = change.challenges.get(name)
    return f" (by {way.type}, method {way.method})" if way is not None else ""


def holds_text(holds: Sequence[Hold], now: datetime) -> str:
    """Give what is wanted and not done now; equal holds of many sites once."""
    if not holds:
        return ""
    same: dict[tuple[object, ...], list[Hold]] = {}
    for hold in holds:
        key = (hold.reason, hold.target, _anonymous(hold.message, hold.site or "\0"), hold.until, hold.ends_when)
        same.setdefault(key, []).append(hold)
    lines = [line for group in same.values() for line in _hold_lines(group, now)]
    return "\n".join(["held, not done now:", *lines])


def _hold_lines(group: list[Hold], now: datetime) -> Iterator[str]:
    hold = group[0]
    places = [one.site for one in group if one.site]
    who = ", ".join(places[:3]) + (f" and {len(places) - 3:,} more sites" if len(places) > 3 else "")  # noqa: PLR2004
    on = f" on {hold.target}" if hold.target else ""
    yield f"  ! {visible(who + on).strip() or 'the whole tree'}: {hold.reason.value}: {visible(hold.message)}"
    if hold.until is not None:
        yield f"      until {both(hold.until, now)}"
    if hold.ends_when:
        yield f"      ends when {visible(hold.ends_when)}"
    step = next_step(hold.reason.value, hold.site, hold.count)
    if step is not None:
        yield f"      next: {visible(step)}"


def cost_text(changes: Iterable[Change]) -> str:
    """Say how many new orders the plan costs at each issuer; empty if none."""
    orders: Counter[str] = Counter()
    for change in changes:
        if change.new_orders and change.issuer is not None:
            orders[change.issuer] += change.new_orders
    costs = (f"{count:,} new order{'' if count == 1 else 's'} at {name}" for name, count in sorted(orders.items()))
    return f"cost: {', '.join(costs)}" if orders else ""


def summary(plan: Plan, errors: Sequence[Problem] = ()) -> str:
    """Give the last line: how many changes of which verb, how much is held, how many errors."""
    verbs = Counter(change.verb for change in plan.changes)
    parts = [f"{verbs[verb]:,} to {verb.value}" for verb in Verb if verbs[verb]]
    nothing = "no changes" if plan.holds else "no changes: everything is as declared"
    text = f"plan: {', '.join(parts)}" if parts else nothing
    held = f"; {len(plan.holds):,} held" if plan.holds else ""
    wrong = f"; {len(errors):,} error{'' if len(errors) == 1 else 's'}" if errors else ""
    return text + held + wrong + "."
