"""The changes that make or switch certificates: register, activate, issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.observed import Proven, Revision
from reconciler.plan.digests import digest_of
from reconciler.plan.policies import RENEW_AT, lacking, wanted_profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.model.desired import AcmeIssuer, DesiredSite, IssuerSpec
    from reconciler.model.observed import Live, OrderRecord
    from reconciler.plan.site import Wish


def register_change(issuer: AcmeIssuer) -> Change:
    """Make the account (RFC 8555 section 7.3) that several issuers may share."""
    return Change(
        verb=Verb.REGISTER,
        subject=f"issuer/{issuer.name}",
        reason=Reason.MISSING,
        message=f"account {issuer.account} at {issuer.directory} does not exist yet",
        decided_on=digest_of(issuer.directory, issuer.account),
        issuer=issuer.name,
        rank=0,
    )


def live_id(live: Live) -> str:
    """Give what stands for the live pointer in a digest."""
    return "none" if live.type == "none" else live.id


def _seen(live: Live) -> str | None:
    return None if live.type == "none" else live.id


def activate_change(wish: Wish) -> Change:
    """Let a stored revision go live again."""
    revision, finding = wish.activate, wish.activate_for
    assert revision is not None, "only called with one"  # noqa: S101  mypy narrows by it
    assert finding is not None, "set together"  # noqa: S101
    return Change(
        verb=Verb.ACTIVATE,
        subject=f"site/{wish.desired.name}",
        reason=finding.reason,
        message=f"{finding.message}; stored revision {revision.id} is good and goes live",
        desired_digest=wish.desired.digest,
        decided_on=digest_of(live_id(wish.observed.live), revision.id),
        site=wish.desired.name,
        live=_seen(wish.observed.live),
        revision=revision.id,
        rank=wish.rank,
    )


def placeholder_change(wish: Wish) -> Change:
    """Put a self-signed certificate in the place of the one that is not there yet."""
    return Change(
        verb=Verb.ACTIVATE,
        subject=f"site/{wish.desired.name}",
        reason=Reason.PLACEHOLDER,
        message="a self-signed placeholder lets the server start until the certificate is there",
        desired_digest=wish.desired.digest,
        decided_on=digest_of(live_id(wish.observed.live), "placeholder"),
        live=_seen(wish.observed.live),
        site=wish.desired.name,
        rank=wish.rank,
    )


def issue_change(wish: Wish, now: datetime, after: tuple[str, ...]) -> Change:
    """Order a certificate, or go on with the order in flight."""
    desired, issuer, finding = wish.desired, wish.issuer, wish.issue
    assert issuer is not None, "only called with one"  # noqa: S101  mypy narrows by it
    assert finding is not None, "only called with one"  # noqa: S101
    order = resumable(wish.observed.order, desired, issuer, now)
    added, removed = _names(wish)
    return Change(
        verb=Verb.ISSUE,
        subject=f"site/{desired.name}",
        reason=finding.reason,
        message=finding.message + (f"; resumes the order of {order.intent_at:%Y-%m-%dT%H:%M:%SZ}" if order else ""),
        desired_digest=desired.digest,
        decided_on=_decided_on(wish, issuer),
        after=after,
        site=desired.name,
        issuer=issuer.name,
        live=_seen(wish.live),
        added=added,
        removed=removed,
        challenges=_challenges(desired) if issuer.type == "acme" else {},
        new_orders=1 if issuer.type == "acme" and order is None else 0,
        rank=wish.rank,
    )


def resumable(order: OrderRecord | None, desired: DesiredSite, issuer: IssuerSpec, now: datetime) -> OrderRecord | None:
    """Give the order in flight if it is at this issuer, for these names, and still open."""
    if order is None or order.url is None or (order.expires is not None and order.expires <= now):
        return None
    fits = order.issuer == issuer.name and sorted(order.hostnames) == sorted(desired.names)
    return order if fits else None


def _decided_on(wish: Wish, issuer: IssuerSpec) -> str:
    desired, memory = wish.desired, wish.observed.memory
    wanted = wanted_profile(desired, issuer)
    asked = memory.renew_requested or desired.annotations.get(RENEW_AT)
    return digest_of(live_id(wish.live), issuer.name, sorted(desired.names), desired.key.algorithm.value, wanted, asked)


def _names(wish: Wish) -> tuple[tuple[str, ...], tuple[str, ...]]:
    live = wish.live
    if isinstance(live, Revision) and not live.meta.placeholder:
        return lacking(wish.desired, live)
    return tuple(sorted(wish.desired.names)), ()


def _challenges(desired: DesiredSite) -> Mapping[str, Proven]:
    methods = ((name, desired.methods.get(name, ())) for name in desired.names)
    return {name: Proven(ways[0].name, ways[0].type) for name, ways in methods if ways}
