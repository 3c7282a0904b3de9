"""The changes that make or switch certificates: register, activate, issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.observed import Proven, Revision
from reconciler.model.text import some
from reconciler.plan.digests import digest_of
from reconciler.plan.issuing.case import RENEW_AT
from reconciler.plan.issuing.names import left_out, ordered_names, ways
from reconciler.plan.issuing.policies import lacking, wanted_profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from reconciler.model.desired import AcmeIssuer, IssuerSpec
    from reconciler.model.observed import Live, OrderRecord
    from reconciler.plan.issuing.wish import Wish


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
        former=wish.former,
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
    names = ordered_names(desired, wish.live, wish.observed.memory, now)
    order = resumable(wish.observed.order, names, issuer, now)
    added, removed = _names(wish, names)
    return Change(
        verb=Verb.ISSUE,
        subject=f"site/{desired.name}",
        reason=finding.reason,
        message=f"{finding.message}{_manner(wish, order, now)}",
        desired_digest=desired.digest,
        decided_on=_decided_on(wish, issuer, names),
        after=after,
        site=desired.name,
        issuer=issuer.name,
        live=_seen(wish.live),
        added=added,
        removed=removed,
        challenges=_challenges(wish, names) if issuer.type == "acme" else {},
        hostnames=names if names != desired.names else (),
        stops=wish.stops,
        brought=_brought(wish),
        new_orders=1 if issuer.type == "acme" and order is None else 0,
        rank=wish.rank,
    )


def _manner(wish: Wish, order: OrderRecord | None, now: datetime) -> str:
    out = left_out(wish.desired, wish.live, wish.observed.memory, now)
    told = f"; leaves out {some(tuple(sorted(out)))}" if out else ""
    if wish.stops:
        told += "; the order is made and left to a person (stopAt: challenges)"
    return told + (f"; resumes the order of {order.intent_at:%Y-%m-%dT%H:%M:%SZ}" if order else "")


def resumable(
    order: OrderRecord | None, names: tuple[str, ...], issuer: IssuerSpec, now: datetime
) -> OrderRecord | None:
    """Give the order in flight if it is at this issuer, for these names, and still open."""
    if order is None or order.url is None or order.is_over(now):
        return None
    fits = order.issuer == issuer.name and sorted(order.hostnames) == sorted(names)
    return order if fits else None


def _decided_on(wish: Wish, issuer: IssuerSpec, names: tuple[str, ...]) -> str:
    desired, memory = wish.desired, wish.observed.memory
    wanted = wanted_profile(desired, issuer)
    asked = memory.renew_requested or desired.annotations.get(RENEW_AT)
    proofs = _challenges(wish, desired.names) if issuer.type == "acme" else {}
    first = sorted(f"{name}={one.method}" for name, one in proofs.items())
    facts = (live_id(wish.live), issuer.name, sorted(names), desired.key.algorithm.value, wanted, asked)
    return digest_of(*facts, first, "stops" if wish.stops else None, _brought(wish))


def _brought(wish: Wish) -> str | None:
    return wish.observed.brought.id if wish.observed.brought is not None else None


def _names(wish: Wish, ordered: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the names that the order of these adds to the certificate in use, and those that it takes away."""
    live = wish.live
    if isinstance(live, Revision) and not live.meta.placeholder:
        added, removed = lacking(wish.desired, live)
        out = set(live.facts.hostnames) & (set(wish.desired.names) - set(ordered))
        return tuple(name for name in added if name in ordered), tuple(sorted({*removed, *out}))
    return tuple(sorted(ordered)), ()


def _challenges(wish: Wish, names: Collection[str]) -> Mapping[str, Proven]:
    found = ways(wish.desired, wish.live, wish.observed.memory)
    methods = ((name, found.get(name, ())) for name in names)
    return {name: Proven(tried[0].name, tried[0].type) for name, tried in methods if tried}
