"""What a site brings itself: whether it can be used, whether it is news, and what holds it back.

A brought certificate is news until it is in use with its intermediates, or until another one was issued in its place
although it was there: that one's `requested` names it. So an import that was handed over to a CA stays handed over, and
a new pair under the same path is taken.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason
from reconciler.model.names import uncovered
from reconciler.model.text import some
from reconciler.plan.issuing.case import request_of
from reconciler.plan.issuing.failover import present

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.observed import Brought, CertificateFacts, Revision
    from reconciler.plan.issuing.case import Case

_CLOCK_SLACK: Final = timedelta(minutes=5)


def is_brought(desired: DesiredSite, revision: Revision) -> bool:
    """Tell whether the site brought this revision, and still may: then nothing is wanted of it but what it covers."""
    made_by = present(desired.issuers, revision.meta)
    return made_by is not None and made_by.type == "imported"


def flaw_of(desired: DesiredSite, brought: Brought, now: datetime) -> str | None:
    """Say why what is brought cannot be used for this site now; None if it can."""
    facts = brought.facts
    if facts is None:
        return brought.problem
    lacks = uncovered(desired.names, facts.hostnames)
    if lacks:
        return f"{_place(desired)}: the certificate does not cover {some(lacks)}"
    if facts.not_after <= now:
        return f"{_place(desired)}: the certificate expired at {_time(facts.not_after)}"
    if facts.not_before > now + _CLOCK_SLACK:
        return f"{_place(desired)}: the certificate is valid only from {_time(facts.not_before)}"
    return None


def news(case: Case) -> Brought | None:
    """Give what is brought if it is neither in use nor was passed over by who made what is in use.

    Who asks for a new certificate asks for that one too. The one in use is news if it comes with other intermediates;
    without any it is not: those in use are better than none.
    """
    brought, revision = case.brought, case.revision
    if brought is None or brought.facts is None or revision is None:
        return brought
    if brought.facts.fingerprint == revision.facts.fingerprint:
        return brought if brought.chain not in ("", revision.chain) else None
    passed_over = brought.id in revision.meta.requested and request_of(case) is None
    return None if passed_over else brought


def change_of(case: Case) -> str | None:
    """Say that another certificate is brought than the one in use, if it is to be taken."""
    facts, revision = _usable(case), case.revision
    if facts is None or revision is None or not _is_source(case):
        return None
    if facts.fingerprint == revision.facts.fingerprint:
        return f"{_place(case.desired)} holds the certificate in use with other intermediate certificates"
    ends = f"{_place(case.desired)} holds another certificate, valid until {_time(facts.not_after)}"
    return f"{ends}; the one in use ends at {_time(revision.facts.not_after)}"


def candidates(case: Case) -> tuple[IssuerSpec, ...]:
    """Give the issuers that can be asked now: an imported one only where what it brings is news and can be used."""
    issuers = case.desired.issuers
    if _usable(case) is not None:
        return issuers
    return tuple(issuer for issuer in issuers if issuer.type != "imported") or issuers


def note_of(case: Case) -> Hold | None:
    """Give the hold that tells of an import that is not taken, whatever else is done for the site."""
    brought = news(case)
    if brought is None:
        return None
    flaw = flaw_of(case.desired, brought, case.now)
    if flaw is not None:
        return _hold(case, Reason.IMPORT_INVALID, flaw, failed=True)
    return _older(case, brought.facts)


def held_by(case: Case, issuer: IssuerSpec, wanted: str, *, due: bool) -> Hold | None:
    """Give what holds a new certificate back for the sake of the import: broken, or nobody but a person has another.

    `wanted` says why a certificate is wanted. A broken import is mended before a CA is asked, unless the certificate in
    use is `due`: there must be no gap. One that has expired is no longer the source.
    """
    brought = case.brought
    if brought is None or _usable(case) is not None:
        return None
    flaw = flaw_of(case.desired, brought, case.now)
    broken = _hold(case, Reason.IMPORT_INVALID, flaw, failed=True) if flaw is not None else None
    if issuer.type != "imported":
        return None if due or _is_over(case, brought) else broken
    if broken is not None or news(case) is not None:
        return broken or note_of(case)
    return _hold(case, Reason.IMPORT_ENDS, f"{wanted}; a certificate that was brought is not renewed: bring a new one")


def _is_over(case: Case, brought: Brought) -> bool:
    """Tell whether it has expired, or was handed over: then others are the source."""
    facts, revision = brought.facts, case.revision
    if facts is None:
        return False
    in_use = revision is not None and revision.facts.fingerprint == facts.fingerprint
    return facts.not_after <= case.now or (not in_use and news(case) is None)


def _usable(case: Case) -> CertificateFacts | None:
    brought = news(case)
    if brought is None or flaw_of(case.desired, brought, case.now) is not None or _older(case, brought.facts):
        return None
    return brought.facts


def _is_source(case: Case) -> bool:
    """Tell whether the import comes first: else it is only a way out of others' failures."""
    return case.desired.issuers[0].type == "imported"


def _older(case: Case, facts: CertificateFacts | None) -> Hold | None:
    """Hold a certificate that ends before the valid one in use, unless a person asks for it all the same."""
    revision = case.revision
    if facts is None or revision is None or not case.now < revision.facts.not_after:
        return None
    if facts.not_after >= revision.facts.not_after or request_of(case) or not _is_source(case):
        return None
    ends, message = _time(facts.not_after), f"{_place(case.desired)}: the certificate ends at "
    message += f"{ends}, before the one in use ({_time(revision.facts.not_after)})"
    return _hold(case, Reason.STORE_IS_OLDER, message)


def _hold(case: Case, reason: Reason, message: str, *, failed: bool = False) -> Hold:
    brings = f"another certificate stands there, or `certwright import {case.desired.name}` brings one"
    ends = f"{brings}; `certwright renew {case.desired.name}` takes it" if reason is Reason.STORE_IS_OLDER else brings
    return Hold(reason, message, site=case.desired.name, ends_when=ends, failed=failed)


def _place(desired: DesiredSite) -> str:
    return desired.brought.place if desired.brought is not None else "what is brought"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
