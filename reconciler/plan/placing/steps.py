"""One site's way through its targets: what is installed before a certificate is asked for, and what after it came.

The first round makes a server able to answer (a placeholder, a new virtual host); the second takes up the new
certificate. A site that waits for no certificate has the first alone, one whose issuer asks nobody for proof has the
second alone: one reload.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.model.changes import Hold, Reason
from reconciler.model.desired import directory_of, has_outside
from reconciler.model.observed import FileChange, Revision
from reconciler.model.text import some
from reconciler.plan.placing.handover import taking_hold
from reconciler.plan.placing.targets import Work, leave_of, work_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import OnTarget
    from reconciler.plan.issuing.wish import Wish
    from reconciler.plan.placing.gate import Gate


@dataclass(frozen=True, slots=True)
class Steps:
    """A site's work in its order. `postponed`: the certificate waits too, as its proof needs a target that waits.

    `heirs` by target: sites that take names over from this one there. `joins` is work of the second round that waits
    for their certificates alone; the site's own is asked for `after` them. `restored` puts back what a held target has
    loaded already, `looks` only asks what it shows.
    """

    wish: Wish
    placeholder: bool = False
    early: tuple[Work, ...] = ()
    late: tuple[Work, ...] = ()
    restored: tuple[Work, ...] = ()
    looks: tuple[Work, ...] = ()
    holds: tuple[Hold, ...] = ()
    postponed: bool = False
    due: tuple[datetime, ...] = ()
    joins: tuple[Work, ...] = ()
    heirs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    @property
    def issues(self) -> bool:
        """Tell whether a certificate is asked for in this plan."""
        return self.wish.issues and not self.postponed


def steps_of(
    wish: Wish, gate: Gate, specs: Mapping[str, TargetSpec], pending: Mapping[str, str] | None = None
) -> Steps:
    """Order one site's work; `specs` are the targets by name as they were last installed, for those it has left.

    On `pending` targets another site (which is named) still serves names of it: nothing comes before the certificate.
    """
    pending = pending or {}
    if wish.observed.damage:
        return Steps(wish, holds=wish.holds)
    works = [work_of(wish, use.spec, gate.now) for use in wish.desired.targets]
    works += _leaving(wish, specs)
    due = tuple(at for work in works for at in work.due)
    if wish.desired.suspend:
        return _suspended(wish, works, gate)
    free = [work for work in works if work.hold is None]
    prompt = [work for work in free if work.target not in pending]
    placeholder = _wants_placeholder(wish, prompt)
    switched = placeholder or wish.activate is not None or wish.obtains
    looks = [] if switched else [work for work in free if work.looks]
    free = [work for work in free if work not in looks]
    early, late, restored, holds = _rounds(wish, free, gate, pending, placeholder=placeholder)
    holds += [work.waits for work in free if work.waits is not None and work not in early and work not in late]
    holds += [hold for on in _left(wish) if (hold := gate.lost(on.target, wish.desired.name)) is not None]
    delayed = {hold.target for hold in holds if hold.reason is Reason.RELOAD_DELAYED}
    postponed = (
        wish.issues
        and _is_acme(wish)
        and any(work.target in delayed and _is_early(wish, work, placeholder=placeholder) for work in prompt)
    )
    return Steps(
        wish,
        placeholder=placeholder and any(_may_stand_in(work) for work in early),
        early=tuple(early),
        late=() if postponed else tuple(late),
        restored=tuple(restored),
        looks=tuple(looks),
        holds=(*wish.holds, *wish.notes, *(work.hold for work in works if work.hold is not None), *holds),
        postponed=postponed,
        due=due,
    )


def _leaving(wish: Wish, specs: Mapping[str, TargetSpec]) -> list[Work]:
    gone = (on for on in _left(wish) if on.inventory is not None or on.problem is not None)
    return [leave_of(wish, on, specs[on.target]) for on in gone if on.target in specs]


def _left(wish: Wish) -> list[OnTarget]:
    used = {use.spec.name for use in wish.desired.targets}
    return [on for name, on in sorted(wish.observed.on.items()) if name not in used]


def _suspended(wish: Wish, works: list[Work], gate: Gate) -> Steps:
    """Hold it; but what is put back of a file that sites share is put back with it, or it would lose its names."""
    again = [work for work in works if work.stands_again]
    if again:
        rest = _suspended(wish, [work for work in works if work not in again], gate)
        idle = replace(rest.wish, issue=None, activate=None)
        early, _, restored, holds = _rounds(idle, again, gate, {}, placeholder=False)
        return replace(rest, early=tuple(early), restored=tuple(restored), holds=(*rest.holds, *holds))
    wanted = wish.issue is not None or wish.activate is not None
    if not wanted and not any(work.files or work.reload or work.remove for work in works):
        return Steps(wish)
    # no failure of ours, but a server that includes the other directory alone, or nothing of it, has lost its names
    stays = _staying(works) + _taken_out(wish, works)
    hold = Hold(
        Reason.SUSPENDED, f"suspended: changes are wanted and not made{stays}",
        site=wish.desired.name, ends_when="`suspend` is taken out of the Site", failed=bool(stays),
    )  # fmt: skip
    return Steps(replace(wish, activate=None, holds=(hold,)), holds=(hold,))


def _taken_out(wish: Wish, works: list[Work]) -> str:
    """Say what was taken out of servers for the others' sake: nothing puts that back, and somebody must know."""
    failures = wish.observed.memory.failures
    found = ((work.target, failures.get(f"target/{work.target}")) for work in works if work.files)
    last = ((target, one.last) for target, one in found if one is not None)
    out = [(target, one.detail) for target, one in last if one is not None and one.reason == Reason.TAKEN_OUT]
    return "".join(f"; {target} serves it no more: {detail}" for target, detail in out)


def _staying(works: list[Work]) -> str:
    """Say which files stay where the servers' other sites have none any more, so that they must still be included."""
    specs = [work.spec for work in works if not work.remove and directory_of(work.spec)]
    paths = [file.path for work in works if work.on.inventory is not None for file in work.on.inventory.files]
    left = sorted(path for path in paths if specs and all(has_outside(spec, [path]) for spec in specs))
    if not left:
        return ""
    wanted = " and ".join(sorted({directory_of(spec) for spec in specs}))
    return f"; {some(tuple(left))} stays there and not in {wanted}, so let the server include it until then"


def _rounds(
    wish: Wish, works: list[Work], gate: Gate, pending: Mapping[str, str], *, placeholder: bool
) -> tuple[list[Work], list[Work], list[Work], list[Hold]]:
    early, late, restored, holds = [], [], [], []
    for work in works:
        waits = work.target in pending and not work.remove
        first = not waits and _is_early(wish, work, placeholder=placeholder)
        second = wish.obtains and not work.remove
        if waits and not second:
            holds.append(taking_hold(wish, work.target, pending[work.target]))
        if not first and not second:
            continue
        held = None if work.stays else gate.hold(work.target, work.spec, work.site)
        if held is not None:
            holds.append(held)
            tears = gate.tears(work.target, work.site) is not None
            restored += [work] if work.restores(_loaded(wish)) and not tears else []
            continue
        if first:
            early.append(_whole(work) if placeholder or wish.activate is not None else work)
        if second:
            late.append(_after(work) if first else _whole(work))
    return early, late, restored, holds


def _loaded(wish: Wish) -> str | None:
    """Give the revision that a server has loaded if it has what is in use, also after this plan."""
    return wish.live.id if isinstance(wish.live, Revision) and wish.activate is None else None


def _is_acme(wish: Wish) -> bool:
    return wish.issuer is not None and wish.issuer.type == "acme"


def _is_early(wish: Wish, work: Work, *, placeholder: bool) -> bool:
    """Tell whether the target has work before the certificate is asked for (or without one)."""
    if work.remove:
        return True
    stands_in = placeholder and _may_stand_in(work)
    live = wish.live
    usable = isinstance(live, Revision) and (not live.meta.placeholder or (work.spec.placeholder and not _adopts(work)))
    if not stands_in and not usable:
        return False
    switched = placeholder or wish.activate is not None
    if wish.obtains:
        return switched or (bool(work.files) and _is_acme(wish)) or work.lost
    return switched or bool(work.files) or work.reload is not None


def _wants_placeholder(wish: Wish, free: list[Work]) -> bool:
    """Tell whether the server must be able to start first: a certificate's proof takes time, and so does a person."""
    brings = wish.issuer is not None and wish.issuer.type == "imported" and bool(wish.holds)
    waits = wish.is_new and wish.issue is not None and (_is_acme(wish) or brings)
    return waits and any(_may_stand_in(work) for work in free)


def _may_stand_in(work: Work) -> bool:
    """A placeholder never takes the place of a certificate that was installed before and may still serve."""
    had = work.on.inventory is not None and any(file.revision for file in work.on.inventory.files)
    return work.spec.placeholder and not work.remove and not had and not _adopts(work)


def _adopts(work: Work) -> bool:
    """Tell whether a file that is not ours is replaced: by a certificate, never by a placeholder."""
    return any(file.change is FileChange.ADOPT for file in work.files)


def _whole(work: Work) -> Work:
    """Give the work with the material that a new revision rewrites."""
    named = {file.path for file in work.files}
    more = tuple(file for file in work.material if file.path not in named)
    renewed = bool(more) and work.reason is Reason.CONFIGURATION_CHANGED
    return replace(work, files=(*work.files, *more), reason=Reason.CERTIFICATE_CHANGED if renewed else work.reason)


def _after(work: Work) -> Work:
    """Give what is left for after the certificate: every copy of it, which by then is there."""
    files = tuple(replace(file, change=FileChange.UPDATE) for file in work.material)
    return replace(work, files=files, reason=Reason.CERTIFICATE_CHANGED)
