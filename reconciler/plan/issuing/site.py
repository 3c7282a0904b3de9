"""What one site needs of issuers: nothing, a stored revision again, or a new certificate; and what holds it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason
from reconciler.model.observed import BrokenRevision, Revision
from reconciler.plan.backoff import hold_for
from reconciler.plan.issuing.accounts import account_hold
from reconciler.plan.issuing.case import Case
from reconciler.plan.issuing.imports import held_by, note_of
from reconciler.plan.issuing.late import until_late
from reconciler.plan.issuing.moved import moved_hold, moved_note
from reconciler.plan.issuing.names import LATE_SHARE, left_out
from reconciler.plan.issuing.picking import ALLOW_TRUST_LOSS, loses_trust, pick_issuer
from reconciler.plan.issuing.policies import Finding, first_finding, lacking
from reconciler.plan.issuing.refusals import refusals, refused_hold
from reconciler.plan.issuing.renamed import renamed_finding, renaming
from reconciler.plan.issuing.renewal import duration_text, lifetime
from reconciler.plan.issuing.stages import stage_hold, stops
from reconciler.plan.issuing.wish import Wish, is_released

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.observed import NameMemory, ObservedSite, World

_ALWAYS: Final = frozenset({Reason.REQUESTED_BY_USER})
_NEVER_ASKED: Final = frozenset(set(Reason) - _ALWAYS)
_NEVER_DUE: Final = frozenset(set(Reason) - {Reason.RENEWAL_DUE})
_CLOCK_SLACK: Final = timedelta(minutes=5)
_NOT_COUNTED: Final = frozenset(
    {
        Reason.MISSING,
        Reason.PLACEHOLDER,
        Reason.RENEWAL_DUE,
        Reason.CORRUPT,
        Reason.KEY_MISMATCH,
        Reason.IMPORT_CHANGED,
    }
)


def decide(desired: DesiredSite, observed: ObservedSite, world: World, now: datetime) -> Wish:
    """Decide about one site."""
    if observed.damage:
        return Wish(desired, observed, observed.live, holds=(damage_hold(desired.name, observed.damage),))
    wish = _decided(desired, observed, world, now)
    out = left_out(desired, wish.live, observed.memory, now)
    notes = [_left_out(desired.name, name, one) for name, one in sorted(out.items())]
    case = Case(desired, wish.live, observed.memory, now, observed.brought)
    moved = moved_note(case, wish.issuer, world) if wish.issues else None
    notes += [moved] if moved is not None else []
    brought = note_of(case)
    if brought is not None and all(hold.reason is not brought.reason for hold in wish.holds):
        notes.append(brought)
    return replace(wish, notes=tuple(notes))


def damage_hold(site: str, damage: str) -> Hold:
    """Hold a site of which the state directory cannot tell what is known: nothing is done that might undo it."""
    return Hold(Reason.STORE_DAMAGED, damage, site=site, ends_when="that is mended", failed=True)


def _left_out(site: str, name: str, one: NameMemory) -> Hold:
    words = one.failures.last.detail if one.failures.last else "its proof failed"
    ends = one.failures.stalled or "it can be proven"
    until = one.failures.next_attempt
    message = f"{name} is left out of the certificate: {words}"
    return Hold(Reason.NAME_FAILED, message, site=site, until=until, ends_when=ends, failed=True)


def _decided(desired: DesiredSite, observed: ObservedSite, world: World, now: datetime) -> Wish:
    case = Case(desired, observed.live, observed.memory, now, observed.brought)
    finding = first_finding(case) or _refused(case, observed)
    if finding is None:
        return Wish(desired, observed, observed.live)
    held = _clock_wrong(case, world) or _pinned(case, finding)
    if held is not None:
        return Wish(desired, observed, observed.live, holds=(held,), issue=finding, rank=rank_of(case))
    renamed = renaming(case, observed)
    stored = renamed.revision if renamed is not None else _stored(case, observed)
    if stored is None:
        return _issue(Wish(desired, observed, observed.live), case, finding, world)
    hold = None if is_released(desired, observed) else refused_hold(stored, desired, observed, now)
    if hold is not None:
        return Wish(desired, observed, observed.live, holds=(hold,), issue=finding, rank=rank_of(case))
    if renamed is not None:
        finding = renamed_finding(renamed)
    former = renamed.site if renamed is not None else None
    wish = Wish(desired, observed, stored, activate=stored, activate_for=finding, former=former, rank=rank_of(case))
    after = replace(case, live=stored)
    still = first_finding(after, without=_ALWAYS)
    return wish if still is None else _issue(wish, after, still, world)


def _clock_wrong(case: Case, world: World) -> Hold | None:
    """Hold what is wanted while the clock is before the newest certificate: else one bad clock reissues all of them."""
    newest = world.newest_start or case.now
    if case.now >= newest - _CLOCK_SLACK or first_finding(case, without=_NEVER_ASKED) is not None:
        return None
    return Hold(
        Reason.CLOCK_WRONG,
        f"this machine's clock says {case.now:%Y-%m-%d %H:%M} UTC, and the newest certificate of the store began "
        f"at {newest:%Y-%m-%d %H:%M}",
        site=case.desired.name,
        ends_when="the clock is set, or `certwright renew` asks for a new certificate all the same",
        failed=True,
    )


def _pinned(case: Case, finding: Finding) -> Hold | None:
    """Hold a site whose certificate a person went back to, until a sixth of its lifetime is left."""
    pin, revision = case.memory.pinned, case.revision
    if pin is None or revision is None or (pin.revision, pin.digest) != (revision.id, case.desired.digest):
        return None
    until = revision.facts.not_after - lifetime(revision) / LATE_SHARE
    asked = first_finding(case, without=_NEVER_ASKED)
    if asked is not None or case.now >= until:
        return None
    return Hold(
        Reason.PINNED,
        f"`certwright rollback` went back to {revision.id}, so nothing is done although {finding.message}",
        site=case.desired.name,
        until=until,
        ends_when="`certwright renew` asks for a new one, or the site's spec changes",
    )


def _stored(case: Case, observed: ObservedSite) -> Revision | None:
    """Find a stored revision that may go live instead of a new order.

    One that was stored and never went live, or was put back from, is newer than the live one. Where nothing usable is
    live, the newest that is as wanted does; where a broken one is, also one that covers the names and is not due: it
    serves while the new one is ordered.
    """
    good = [one for one in observed.others if _covers(case, one)]
    fitting = [one for one in good if first_finding(replace(case, live=one), without=_ALWAYS) is None]
    live = case.live
    if isinstance(live, Revision) and not live.meta.placeholder:
        answers = (one for one in fitting if first_finding(replace(case, live=one)) is None)
        return next((one for one in answers if one.meta.at > live.meta.at), None)
    if isinstance(live, BrokenRevision):
        return next(iter(fitting or good), None)
    return next(iter(fitting), None)


def _covers(case: Case, one: Revision) -> bool:
    if one.meta.placeholder or one.facts.not_after <= case.now:
        return False
    at_once = first_finding(replace(case, live=one), without=_NEVER_DUE)
    return at_once is None and not lacking(case.desired, one)[0]


def _refused(case: Case, observed: ObservedSite) -> Finding | None:
    """Tell of a newer revision, as good as the one in use, that a server refused: it is wanted in use all the same."""
    for target, stored in refusals(case.desired, observed):
        if _stored(case, observed) == stored:
            return Finding(Reason.REJECTED_BY_SERVER, f"{target} refused revision {stored.id}, which is newer")
    return None


def rank_of(case: Case) -> int:
    """Give the urgency: 0 expired, 1 in the last third of the lifetime, 2 changed, 3 new."""
    revision = case.revision
    if revision is None:
        return 2 if isinstance(case.live, BrokenRevision) else 3
    left = revision.facts.not_after - case.now
    if left <= timedelta(0):
        return 0
    return 1 if left * 3 < revision.facts.not_after - revision.facts.not_before else 2


def _issue(wish: Wish, case: Case, finding: Finding, world: World) -> Wish:
    issuer = pick_issuer(case)
    held = held_by(case, issuer, finding.message, due=first_finding(case, without=_NEVER_DUE) is not None)
    held = held or stage_hold(case, wish.observed.order) or _hold(case, wish.observed, issuer, world)
    return replace(
        wish,
        issue=finding,
        issuer=issuer,
        holds=(held,) if held else (),
        stops=issuer.type == "acme" and stops(case, wish.observed.order),
        counted=finding.reason not in _NOT_COUNTED and not case.memory.renew_requested,
        rank=rank_of(case),
    )


def _hold(case: Case, observed: ObservedSite, issuer: IssuerSpec, world: World) -> Hold | None:
    """Give the first of the reasons that hold the order back."""
    name = case.desired.name
    held = moved_hold(case, issuer, world) or (account_hold(issuer, name, world) if issuer.type == "acme" else None)
    if held is not None:
        return held
    if loses_trust(case, issuer) and case.revision is not None:
        meta = case.revision.meta
        return Hold(
            Reason.WOULD_LOSE_TRUST,
            f"{issuer.name} is of trust {issuer.trust.value}, "
            f"the present certificate (by {meta.issuer}) of {meta.trust.value}",
            site=name,
            until=case.revision.facts.not_after,
            ends_when=f'the annotation {ALLOW_TRUST_LOSS}: "true" allows it, or the present certificate has expired',
        )
    if issuer.type == "imported":
        return None  # there is nothing to wait for: what is there was looked at
    released = is_released(case.desired, observed)
    held = hold_for(case.memory.failures.get("issue"), case.desired.digest, case.now, site=name, released=released)
    if held is not None and held.failed:
        held = until_late(case, held)
    return held or (None if released else _given_up(case))


def gives_up_at(case: Case) -> datetime | None:
    """Give the end of the tries for an expired certificate, counted from the first attempt after its expiry."""
    since = case.memory.expired_since_attempt
    if case.revision is None or since is None or case.now < case.revision.facts.not_after:
        return None
    failures = case.memory.failures.get("issue")
    if failures is not None and failures.digest not in ("", case.desired.digest):
        return None
    return since + case.desired.renewal.lookbehind


def _given_up(case: Case) -> Hold | None:
    ends = gives_up_at(case)
    if ends is None or case.now < ends:
        return None
    return Hold(
        Reason.STALLED,
        f"the certificate has expired and was tried in vain for {duration_text(case.desired.renewal.lookbehind)}",
        site=case.desired.name,
        ends_when="the manifest changes, or `certwright retry` asks for it",
        failed=True,
    )
