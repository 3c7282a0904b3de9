"""A store that another machine used last: what is good is not renewed unasked, for the other may do that too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason
from reconciler.plan.issuing.case import request_of
from reconciler.plan.issuing.names import LATE_SHARE
from reconciler.plan.issuing.renewal import lifetime

if TYPE_CHECKING:
    from reconciler.model.desired import IssuerSpec
    from reconciler.model.observed import World
    from reconciler.plan.issuing.case import Case

_ASKS: Final = "`certwright apply --accept-machine` makes this machine the one that renews"
_PUBLISHES: Final = "`certwright apply --accept-machine` makes this machine the one that renews and publishes"
_WHOSE: Final = "the state directory was last used on another machine, which may still renew with its own copy"


def moved_hold(case: Case, issuer: IssuerSpec, world: World) -> Hold | None:
    """Hold what is good until a sixth of its lifetime is left, unless a person asked for a new certificate."""
    revision = case.revision
    if revision is None or not _concerns(case, issuer, world):
        return None
    until = revision.facts.not_after - lifetime(revision) / LATE_SHARE
    if case.now >= until:
        return None
    return Hold(Reason.MOVED_STORE, _WHOSE, site=case.desired.name, until=until, ends_when=_ASKS, failed=True)


def moved_note(case: Case, issuer: IssuerSpec | None, world: World) -> Hold | None:
    """Tell that a certificate is ordered although the state was moved."""
    if issuer is None or not _concerns(case, issuer, world):
        return None
    ends = f"the one in use ends at {case.revision.facts.not_after:%Y-%m-%dT%H:%M:%SZ}" if case.revision else ""
    message = f"{_WHOSE}; a new certificate is ordered all the same: {ends or 'there is none to wait with'}"
    return Hold(Reason.MOVED_STORE, message, site=case.desired.name, ends_when=_ASKS, failed=True)


def publishing_hold(site: str, world: World) -> Hold | None:
    """Hold address records: another machine's would be added to, or taken away."""
    if not world.moved:
        return None
    message = f"{_WHOSE}; its address records are left as they are"
    return Hold(Reason.MOVED_STORE, message, site=site, ends_when=_PUBLISHES, failed=True)


def _concerns(case: Case, issuer: IssuerSpec, world: World) -> bool:
    """Tell whether somebody else might order the same: not what a person brings or asks for."""
    return world.moved and issuer.type != "imported" and request_of(case) is None
