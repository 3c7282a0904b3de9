"""What one site needs in one target: files to install or take away, and whether its server must take them up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, PlannedFile, Reason
from reconciler.model.names import Part, Switch
from reconciler.model.observed import FileChange, OnTarget, Revision
from reconciler.model.text import some
from reconciler.plan.backoff import hold_for, waits_until
from reconciler.plan.issuing.wish import is_released

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import FileFact, Inventory
    from reconciler.plan.issuing.wish import Wish

_DIFFERS: Final = frozenset(
    {FileChange.CREATE, FileChange.UPDATE, FileChange.RESTORE, FileChange.ADOPT, FileChange.REMOVE}
)
_WRITTEN: Final = (_DIFFERS | {FileChange.NONE}) - {FileChange.REMOVE}
_OTHERS: Final = {Reason.NAME_SERVED_ELSEWHERE, Reason.NOT_INCLUDED, Reason.OLD_CERTIFICATE_SERVED}
# looks at 5, 15 and 35 seconds after the first one
_TOO_SOON: Final = 3
_MENDED: Final = "the record is restored or moved away, or all of the site's files there are as wanted"
_RESTORED: Final = "{} may have been reloaded before what someone changed was put back"
_SEEN: Final = frozenset(
    {"NotServed", "NotYetSeen", "OldCertificateServed", "NothingListens", "NotIncluded", "NameServedElsewhere"}
)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done for a site in a target. `site` None: the files that the target's sites share.

    `files` differ now; `material` is what a new certificate rewrites (copying targets only); `reload` says why the
    server must take up what is installed, were there nothing else; `looks`: it has done so, and is only to be looked at
    again. `hold` stops all of it; `waits` tells, where nothing else is done, when that is tried again.
    """

    target: str
    spec: TargetSpec
    site: str | None
    on: OnTarget
    files: tuple[PlannedFile, ...] = ()
    material: tuple[PlannedFile, ...] = ()
    reason: Reason = Reason.NOT_INSTALLED
    reload: tuple[Reason, str] | None = None
    looks: bool = False
    remove: bool = False
    hold: Hold | None = None
    waits: Hold | None = None
    due: tuple[datetime, ...] = ()

    @property
    def stays(self) -> bool:
        """Tell whether a site leaves the target and all its files stay, as another target has them: no server hears."""
        return self.remove and not self.files and self.on.inventory is not None and bool(self.on.inventory.files)

    def restores(self, live: str | None) -> bool:
        """Tell whether all of it is to put back what the server's last good reload took up, with this revision live.

        A file that names the live pointer is the same whatever that leads to. Copies are put back as they were, also
        where another certificate is in use by now.
        """
        had = self.on.inventory
        if had is None or self.remove or not self.restoring.files:
            return False
        differing = [fact for fact in self.on.files if fact.change in _DIFFERS]
        if self.site is None:
            return all(fact.former for fact in differing)
        as_left = all(fact.as_left if self.on.copies else fact.former for fact in differing)
        usable = had.loaded is not None if self.on.copies else live is not None
        return usable and as_left and had.loaded_digest == had.digest

    @property
    def restoring(self) -> Work:
        """Give the part of the work that puts back what somebody changed."""
        return replace(self, files=tuple(planned(fact) for fact in self.on.files if fact.change is FileChange.RESTORE))

    @property
    def lost(self) -> bool:
        """Tell whether the site's lines are gone from a file that sites share."""
        had = {
            file.path for file in (self.on.inventory.files if self.on.inventory is not None else ()) if file.fragment
        }
        makes = (FileChange.RESTORE, FileChange.CREATE)
        return not self.remove and any(
            fact.path in had and fact.change in makes and fact.before is None for fact in self.on.files
        )

    @property
    def torn(self) -> bool:
        """Tell whether everybody's are, or their mark alone, so that they go when others' are put back."""
        return not self.remove and any(fact.torn for fact in self.on.files)

    @property
    def stands_again(self) -> bool:
        """Tell whether such lines come back as they were, and nothing else of the site changes but what is put back."""
        had = {file.path: file.digest for file in self.on.inventory.files} if self.on.inventory is not None else {}
        differing = [fact for fact in self.on.files if fact.change in _DIFFERS]
        return self.torn and all(fact.former or had.get(fact.path) == _digest(fact.after) for fact in differing)


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def reloads(spec: TargetSpec) -> bool:
    """Tell whether the target has a reload change: a command, a test, or a proof by handshake."""
    return spec.reload.command is not None or spec.test is not None or proves(spec)


def proves(spec: TargetSpec) -> bool:
    """Tell whether what the server shows counts."""
    return spec.verify.mode is Switch.ENFORCE and bool(spec.verify.ports)


def work_of(wish: Wish, spec: TargetSpec, now: datetime) -> Work:
    """Compare a site with one of its targets."""
    on = wish.observed.on.get(spec.name) or OnTarget(spec.name)
    files = tuple(planned(fact) for fact in on.files if fact.change in _DIFFERS)
    reload = _reload(wish, spec, on) if not files else None
    waits = _waits(wish, spec, now) if reload is not None else None
    if waits is not None:
        reload = None
    return Work(
        target=spec.name,
        spec=spec,
        site=wish.desired.name,
        on=on,
        files=files,
        material=_material(on),
        reason=install_reason(on),
        reload=reload,
        looks=reload is not None and reload[0] is Reason.NOT_SERVED and _has_loaded(wish, spec),
        hold=file_hold(on, wish.desired.name) or _failed_before(wish, spec, bool(files), now),
        waits=waits,
        due=_again(wish, spec.name, now),
    )


def leave_of(wish: Wish, on: OnTarget, spec: TargetSpec) -> Work:
    """Take a site out of a target that it no longer names, by inventory."""
    files = tuple(planned(fact) for fact in on.files if fact.change is FileChange.REMOVE)
    hold = file_hold(on, wish.desired.name)
    return Work(on.target, spec, wish.desired.name, on, files, reason=Reason.NO_LONGER_WANTED, remove=True, hold=hold)


def shared_work(on: OnTarget, spec: TargetSpec) -> Work | None:
    """Compare the files that belong to the target and to no site."""
    files = tuple(planned(fact) for fact in on.files if fact.change in _DIFFERS)
    hold = file_hold(on, None)
    again = (Reason.NOT_LOADED, _RESTORED.format(spec.name)) if on.inventory and on.inventory.restored else None
    if on.unbuilt and reloads(spec):
        again = Reason.NOT_LOADED, on.unbuilt
    if not files and hold is None and again is None:
        return None
    return Work(on.target, spec, None, on, files, reason=install_reason(on), hold=hold, reload=again)


def planned(fact: FileFact, change: FileChange | None = None) -> PlannedFile:
    """Give what will be done with a file; its texts only if it is configuration."""
    shown = fact.part is Part.CONFIG
    before, after = (fact.before, fact.after) if shown else (None, None)
    return PlannedFile(
        fact.path, fact.part, change or fact.change, before, after, fact.rights, fact.same and not change
    )


def _material(on: OnTarget) -> tuple[PlannedFile, ...]:
    if not on.copies:
        return ()
    return tuple(
        planned(fact, FileChange.UPDATE if fact.change is FileChange.NONE else None)
        for fact in on.files
        if fact.part is not Part.CONFIG and fact.change in _WRITTEN
    )


def install_reason(on: OnTarget) -> Reason:
    """Say why files are installed: the first of drift, nothing there yet, a new certificate, a new configuration."""
    if any(fact.change is FileChange.RESTORE for fact in on.files):
        return Reason.DRIFTED
    if on.inventory is None or not on.inventory.files:
        return Reason.NOT_INSTALLED
    if any(fact.change is FileChange.UPDATE and fact.part is not Part.CONFIG for fact in on.files):
        return Reason.CERTIFICATE_CHANGED
    return Reason.CONFIGURATION_CHANGED


def file_hold(on: OnTarget, site: str | None) -> Hold | None:
    """Hold a site whose files cannot be written: not ours, a path that is refused, or nothing could be rendered."""
    if on.problem is not None:
        reason = _known(on.problem.reason)
        ends = _MENDED if reason is Reason.STORE_DAMAGED else "the manifest or the template changes"
        return Hold(reason, on.problem.detail, site=site, target=on.target, ends_when=ends, failed=True)
    refused = tuple(fact for fact in on.files if fact.change is FileChange.REFUSED)
    if refused:
        message = refused[0].message or f"{refused[0].path} cannot be used"
        ends = "the path or its directories are mended, or the Target names another"
        return Hold(Reason.PATH_REFUSED, message, site=site, target=on.target, ends_when=ends, failed=True)
    foreign = tuple(fact for fact in on.files if fact.change is FileChange.FOREIGN)
    if foreign:
        message = f"not ours and not overwritten: {some([fact.path for fact in foreign])}"
        ends = "the file is moved away"
        if not any(fact.fragment for fact in foreign):
            ends += ", or the Target says `existing: adopt`"
        return Hold(Reason.FOREIGN_FILE, message, site=site, target=on.target, ends_when=ends, failed=True)
    return None


def _known(word: str) -> Reason:
    return next((reason for reason in Reason if reason.value == word), Reason.TARGET_BROKEN)


def _failed_before(wish: Wish, spec: TargetSpec, files: bool, now: datetime) -> Hold | None:  # noqa: FBT001
    """Hold files that this site's server refused. A proof that failed holds no files: they stay where they are."""
    failures = wish.observed.memory.failures.get(f"target/{spec.name}")
    if failures is None or not files or (failures.last is not None and failures.last.reason in _SEEN):
        return None
    released = is_released(wish.desired, wish.observed)
    name = wish.desired.name
    return hold_for(failures, wish.desired.digest, now, site=name, released=released, kind="target", target=spec.name)


def _again(wish: Wish, target: str, now: datetime) -> tuple[datetime, ...]:
    until = waits_until(wish.observed.memory.failures.get(f"target/{target}"), wish.desired.digest, now)
    return () if until is None else (until,)


def _waits(wish: Wish, spec: TargetSpec, now: datetime) -> Hold | None:
    """Tell what failed and until when it is not tried again, though the files stand as they are wanted."""
    failures = wish.observed.memory.failures.get(f"target/{spec.name}")
    name, released = wish.desired.name, is_released(wish.desired, wish.observed)
    held = hold_for(failures, wish.desired.digest, now, site=name, released=released, kind="target", target=spec.name)
    if held is None or failures is None or failures.last is None or failures.last.reason not in _SEEN:
        return held
    return replace(held, reason=_known(failures.last.reason))


def _reload(wish: Wish, spec: TargetSpec, on: OnTarget) -> tuple[Reason, str] | None:
    """Say why the server must take up what already stands there."""
    live = wish.live
    if not isinstance(live, Revision) or not reloads(spec):
        return None
    lacking = _not_loaded(spec.name, on.inventory, live)
    return _unproven(wish, spec, live) if lacking is None else (Reason.NOT_LOADED, lacking)


def _not_loaded(target: str, inventory: Inventory | None, live: Revision) -> str | None:
    if inventory is None or inventory.loaded is None:
        return f"{target} has not loaded {live.id}"
    if inventory.loaded != live.id:
        return f"{target} has loaded {inventory.loaded}, in use is {live.id}"
    if inventory.loaded_digest not in (None, inventory.digest):
        return f"{target} has not loaded its files as they stand"
    return _RESTORED.format(target) if inventory.restored else None


def _has_loaded(wish: Wish, spec: TargetSpec) -> bool:
    """Tell whether a server has taken up what is in use, or will have in a moment, though not all of it was seen.

    It has where all that was asked shows it, though a port was declared since, or where one name or port does: what
    another block answers no reload changes; nor, after several, what another site's answers. The first looks that find
    an earlier certificate may have come too soon. Once a person said `retry` of a failure, nothing is known.
    """
    served = wish.observed.memory.served.get(spec.name)
    failures = wish.observed.memory.failures.get(f"target/{spec.name}")
    if served is None or not isinstance(wish.live, Revision) or served.revision != wish.live.id:
        return False
    if served.ok or failures is None:
        return served.ok
    wrong = {port.reason for port in served.wrong(spec.verify)}
    if wrong == {Reason.OLD_CERTIFICATE_SERVED} and failures.local <= _TOO_SOON:
        return True
    if wrong == {Reason.NAME_SERVED_ELSEWHERE} and failures.local > _TOO_SOON:
        return True
    return any(port.names for port in served.ports) and wrong <= _OTHERS


def _unproven(wish: Wish, spec: TargetSpec, live: Revision) -> tuple[Reason, str] | None:
    if not proves(spec) or live.meta.placeholder:
        return None
    served = wish.observed.memory.served.get(spec.name)
    if served is None or served.revision != live.id:
        return Reason.NOT_SERVED, f"{spec.name} has not been seen serving {live.id}"
    for port in served.wrong(spec.verify)[:1]:
        return Reason.NOT_SERVED, f"{spec.name} does not serve {live.id}, port {port.port}: {port.reason}"
    for number in served.unasked(spec.verify)[:1]:
        return Reason.NOT_SERVED, f"{spec.name} has not been seen serving {live.id} at port {number}"
    return None if served.ok else (Reason.NOT_SERVED, f"{spec.name} does not serve {live.id}")
