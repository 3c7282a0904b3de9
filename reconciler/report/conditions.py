"""The conditions of a site, the way kubectl users know them: derived from what was observed, never stored as a truth.

A placeholder is never Ready. What no handshake looks at is `Unknown`, and Ready then rests on Installed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from reconciler.model.changes import Reason
from reconciler.model.names import Switch, uncovered
from reconciler.model.observed import BrokenRevision, FileChange, NoRevision, OnTarget, Revision
from reconciler.model.outcomes import Condition
from reconciler.model.text import some

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model.changes import Hold
    from reconciler.model.desired import DesiredSite, TargetSpec
    from reconciler.model.observed import ObservedSite

_Kind = Literal["Issued", "Installed", "Served", "Covered", "Ready", "Stalled", "Moved"]
_CLOCK_SLACK: Final = timedelta(minutes=5)
_REFUSED: Final = (Reason.REJECTED_BY_SERVER, Reason.SERVER_ENDED)
_STOPPED: Final = frozenset(
    {
        Reason.STALLED,
        Reason.ACCOUNT_MISSING,
        Reason.STORE_DAMAGED,
        Reason.TERMS_NOT_AGREED,
        Reason.FOREIGN_FILE,
        Reason.PATH_REFUSED,
        Reason.INVALID_MANIFEST,
        Reason.HOSTNAME_TAKEN,
        Reason.IMPORT_INVALID,
    }
)
_NOT_TAKEN: Final = frozenset(
    {Reason.IMPORT_INVALID, Reason.STORE_IS_OLDER, Reason.INVALID_MANIFEST, Reason.HOSTNAME_TAKEN}
)
"""What the site declares or brings is not what it serves: `apply` fails for it, so it is not Ready either."""


def conditions(
    desired: DesiredSite, observed: ObservedSite, now: datetime, holds: Sequence[Hold] = ()
) -> tuple[Condition, ...]:
    """Give Ready first, then what it sums up; Stalled only if nothing we do helps, Moved if the order waits for it.

    `holds` may be those of all sites.
    """
    own = tuple(hold for hold in holds if hold.site == desired.name)
    issued, covered = _issued(observed, now), _covered(desired, observed)
    installed, served = _installed(desired, observed, own), _served(desired, observed)
    ready = _ready((issued, covered, installed, served), own, has_targets=bool(desired.targets))
    stalled = tuple(_true("Stalled", hold.reason, _ends(hold)) for hold in own if hold.reason in _STOPPED)[:1]
    moved = tuple(_true("Moved", hold.reason, _ends(hold)) for hold in own if hold.reason is Reason.MOVED_STORE)[:1]
    return (ready, issued, covered, installed, served, *stalled, *moved)


def _true(kind: _Kind, reason: Reason, message: str) -> Condition:
    return Condition(kind, "True", reason, message)


def _false(kind: _Kind, reason: Reason | str, message: str) -> Condition:
    return Condition(kind, "False", reason, message)


def _ends(hold: Hold) -> str:
    return f"{hold.message}; ends when {hold.ends_when}" if hold.ends_when else hold.message


def _issued(observed: ObservedSite, now: datetime) -> Condition:
    live = observed.live
    if isinstance(live, NoRevision):
        return _false("Issued", Reason.MISSING, "there is no certificate yet")
    if isinstance(live, BrokenRevision):
        return _false("Issued", live.reason, live.message)
    if live.meta.placeholder:
        return _false("Issued", Reason.PLACEHOLDER, "only a self-signed placeholder is in use")
    end = f"{live.facts.not_after:%Y-%m-%dT%H:%M:%SZ}"
    if live.facts.not_after <= now:
        return _false("Issued", Reason.EXPIRED, f"the certificate expired at {end}")
    if live.facts.not_before > now + _CLOCK_SLACK:
        begins = f"{live.facts.not_before:%Y-%m-%dT%H:%M:%SZ}"
        return _false("Issued", "NotYetValid", f"the certificate begins at {begins}, after this machine's time")
    return _true("Issued", Reason.ISSUED, f"issued by {live.meta.issuer}, valid until {end}")


def missing_hostnames(desired: DesiredSite, observed: ObservedSite) -> tuple[str, ...]:
    """Give the declared names that no usable certificate has."""
    live = observed.live
    usable = isinstance(live, Revision) and not live.meta.placeholder
    if not usable or not isinstance(live, Revision):
        return desired.names
    if any(issuer.type == "imported" and issuer.name == live.meta.issuer for issuer in desired.issuers):
        return uncovered(desired.names, live.facts.hostnames)  # it may cover a name by a wildcard
    has = set(live.facts.hostnames)
    return tuple(name for name in desired.names if name not in has)


def _covered(desired: DesiredSite, observed: ObservedSite) -> Condition:
    lacks = missing_hostnames(desired, observed)
    if not lacks:
        return _true("Covered", Reason.COVERED, "the certificate has all declared hostnames")
    if not isinstance(observed.live, Revision) or observed.live.meta.placeholder:
        return _false("Covered", Reason.MISSING, "there is no certificate yet")
    if all(name in observed.memory.names and observed.memory.names[name].dropped for name in lacks):
        return _false("Covered", Reason.NAME_FAILED, f"left out: {some(lacks)}")
    return _false("Covered", Reason.HOSTNAMES_DIFFER, f"certificate lacks {some(lacks)}")


def _installed(desired: DesiredSite, observed: ObservedSite, holds: Sequence[Hold]) -> Condition:
    if not desired.targets:
        return _true("Installed", Reason.NO_TARGETS, "the site has no targets")
    for use in desired.targets:
        reason = _not_installed(use.spec, observed)
        if reason is None:
            continue
        hold = next((hold for hold in holds if hold.target == use.spec.name), None)
        return _false("Installed", hold.reason, hold.message) if hold else _false("Installed", *reason)
    return _true("Installed", Reason.INSTALLED, f"installed in {', '.join(use.spec.name for use in desired.targets)}")


def is_installed(spec: TargetSpec, observed: ObservedSite) -> bool:
    """Tell whether the live revision stands in a target as wanted, and its server has loaded it."""
    return _not_installed(spec, observed) is None


def _not_installed(spec: TargetSpec, observed: ObservedSite) -> tuple[Reason, str] | None:
    live = observed.live
    if not isinstance(live, Revision):
        return Reason.MISSING, "there is no certificate yet"
    if live.meta.placeholder:
        return Reason.PLACEHOLDER, "only a self-signed placeholder is in use"
    on = observed.on.get(spec.name) or OnTarget(spec.name)
    differ = _files_differ(spec.name, on)
    return (_taken_out(spec.name, observed) or differ) if differ else _not_taken_up(spec, on, live)


def _taken_out(name: str, observed: ObservedSite) -> tuple[Reason, str] | None:
    failures = observed.memory.failures.get(f"target/{name}")
    last = failures.last if failures is not None else None
    return (Reason.TAKEN_OUT, last.detail) if last is not None and last.reason == Reason.TAKEN_OUT else None


def _files_differ(name: str, on: OnTarget) -> tuple[Reason, str] | None:
    changes = {fact.change for fact in on.files} - {FileChange.NONE}
    if on.problem is not None:
        return Reason.TARGET_BROKEN, on.problem.detail
    if FileChange.RESTORE in changes:
        return Reason.DRIFTED, f"someone changed what we installed in {name}"
    if changes and (on.inventory is None or not on.inventory.files):
        return Reason.NOT_INSTALLED, f"nothing is installed in {name} yet"
    return (Reason.CONFIGURATION_CHANGED, f"files in {name} are not as wanted") if changes else None


def _not_taken_up(spec: TargetSpec, on: OnTarget, live: Revision) -> tuple[Reason, str] | None:
    loaded = on.inventory.loaded if on.inventory is not None else None
    if _loads(spec) and loaded != live.id:
        return Reason.NOT_LOADED, f"{spec.name} has not loaded {live.id}"
    return None


def _loads(spec: TargetSpec) -> bool:
    return spec.reload.command is not None or spec.test is not None or _proves(spec)


def _proves(spec: TargetSpec) -> bool:
    return spec.verify.mode is Switch.ENFORCE and bool(spec.verify.ports)


def _served(desired: DesiredSite, observed: ObservedSite) -> Condition:
    proven = tuple(use.spec for use in desired.targets if _proves(use.spec))
    if not proven:
        word = Reason.NOT_VERIFIED if desired.targets else Reason.NO_TARGETS
        return Condition("Served", "Unknown", word, "no handshake is looked at")
    for spec in proven:
        lacking = _not_served(spec, observed)
        if lacking is not None:
            return lacking
    return _true("Served", Reason.SERVED, f"served by {', '.join(spec.name for spec in proven)}")


def _not_served(spec: TargetSpec, observed: ObservedSite) -> Condition | None:
    target, verify = spec.name, spec.verify
    live, served = observed.live, observed.memory.served.get(target)
    if not isinstance(live, Revision) or served is None or served.revision != live.id:
        return Condition("Served", "Unknown", Reason.NOT_YET_SEEN, f"{target} has not been seen serving it yet")
    for bad in served.wrong(verify)[:1]:
        return _false(
            "Served", bad.reason, f"{target}, port {bad.port}: {bad.message or 'another certificate answers'}"
        )
    for port in served.unasked(verify)[:1]:
        told = f"{target} has not been seen serving it at port {port} yet"
        return Condition("Served", "Unknown", Reason.NOT_YET_SEEN, told)
    return None if served.ok else _false("Served", Reason.NOT_SERVED, f"{target} does not serve the certificate")


def _ready(parts: Sequence[Condition], holds: Sequence[Hold], *, has_targets: bool) -> Condition:
    issued, covered, installed, served = parts
    unverified = served.status == "Unknown" and served.reason in (Reason.NOT_VERIFIED, Reason.NO_TARGETS)
    needed = (issued, covered, installed) if unverified else tuple(parts)
    bad = next((part for part in needed if part.status != "True"), None)
    damaged = next((hold for hold in holds if hold.reason is Reason.STORE_DAMAGED), None)
    broken = damaged or next((hold for hold in holds if hold.reason in _NOT_TAKEN), None)
    if broken is not None and (bad is None or damaged):
        return _false("Ready", broken.reason, _ends(broken))
    if bad is None:
        summed = served if not unverified else installed if has_targets else issued
        return Condition("Ready", "True", summed.reason, summed.message)
    hold = _why(bad, holds)
    reason, message = (hold.reason, _ends(hold)) if hold is not None else (bad.reason, bad.message)
    return _false("Ready", reason, message)


def _why(bad: Condition, holds: Sequence[Hold]) -> Hold | None:
    """Find the hold that keeps a part from becoming true.

    Of the order for the first two, of a target for the others. A suspended site waits in either, but what was seen to
    be served wrongly is so for another reason.
    """
    of_target = bad.type in ("Installed", "Served")
    seen = bad.type == "Served" and bad.status == "False"
    either = _REFUSED if seen else (*_REFUSED, Reason.SUSPENDED)
    fits = (
        hold
        for hold in holds
        if ((hold.target is not None) == of_target or hold.reason in either) and not _is_wait(hold)
    )
    return next(fits, None)


def _is_wait(hold: Hold) -> bool:
    return hold.reason is Reason.RELOAD_DELAYED
