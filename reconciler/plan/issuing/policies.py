"""Why a site needs a new certificate: an ordered table of small pure functions; the first that fires is the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason
from reconciler.model.names import uncovered
from reconciler.model.observed import BrokenRevision, NoRevision, Revision
from reconciler.model.text import some
from reconciler.plan.issuing.case import Case, request_of
from reconciler.plan.issuing.failover import present
from reconciler.plan.issuing.imports import change_of, is_brought
from reconciler.plan.issuing.names import left_out
from reconciler.plan.issuing.picking import pick_issuer
from reconciler.plan.issuing.renewal import choose_renewal, renewal_told

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.desired import DesiredSite, IssuerSpec


@dataclass(frozen=True, slots=True)
class Policy:
    """One row: the reason it gives, what it says of itself, and the test, which gives the message if it fires."""

    reason: Reason
    sentence: str
    test: Callable[[Case], str | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """The policy that fired, and its message."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One policy's answer for `why`: `message` is the sentence of the policy where it does not fire."""

    reason: Reason
    fires: bool
    message: str


def _missing(case: Case) -> str | None:
    return "there is no certificate yet" if isinstance(case.live, NoRevision) else None


def _broken(word: str) -> Callable[[Case], str | None]:
    def test(case: Case) -> str | None:
        return case.live.message if isinstance(case.live, BrokenRevision) and case.live.reason == word else None

    return test


def _placeholder(case: Case) -> str | None:
    stands_in = isinstance(case.live, Revision) and case.live.meta.placeholder
    return "only a self-signed placeholder is in use" if stands_in else None


def lacking(desired: DesiredSite, revision: Revision) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the declared names that the certificate lacks, and its names that are no longer declared.

    One that the site brought may cover a name by a wildcard, and has whatever names it has.
    """
    wanted, has = desired.names, revision.facts.hostnames
    if is_brought(desired, revision):
        return uncovered(wanted, has), ()
    return tuple(sorted(set(wanted) - set(has))), tuple(sorted(set(has) - set(wanted)))


def _hostnames(case: Case) -> str | None:
    if case.revision is None:
        return None
    lacks, spare = lacking(case.desired, case.revision)
    out = left_out(case.desired, case.live, case.memory, case.now)
    lacks = tuple(name for name in lacks if name not in out)
    parts = [f"certificate lacks {some(lacks)}"] * bool(lacks) + [f"certificate still has {some(spare)}"] * bool(spare)
    return "; ".join(parts) or None


def _issuer(case: Case) -> str | None:
    if case.revision is None:
        return None
    used = present(case.desired.issuers, case.revision.meta)
    if used is None:
        return f"issued by {case.revision.meta.issuer}, which is no longer among the site's issuers"
    if case.desired.failover.back != "now":
        return None
    chosen = pick_issuer(case)
    order = list(case.desired.issuers)
    return f"back from {used.name} to {chosen.name}" if order.index(chosen) < order.index(used) else None


def _key_type(case: Case) -> str | None:
    wanted = case.desired.key.algorithm.value
    if case.revision is None or case.revision.facts.key_type == wanted or is_brought(case.desired, case.revision):
        return None
    return f"the key is {case.revision.facts.key_type}, wanted is {wanted}"


def wanted_profile(desired: DesiredSite, issuer: IssuerSpec | None) -> str | None:
    """Give the profile that an order to this issuer asks for: the site's, else the issuer's."""
    return (desired.profile or issuer.profile) if issuer is not None and issuer.type == "acme" else None


def _profile(case: Case) -> str | None:
    if case.revision is None or case.revision.meta.spec_digest == case.desired.digest:
        return None  # made from this very spec: the CA did not offer the profile, and asking again changes nothing
    meta = case.revision.meta
    wanted = wanted_profile(case.desired, present(case.desired.issuers, meta))
    return f"the profile is {meta.profile or 'none'}, wanted is {wanted}" if wanted and wanted != meta.profile else None


def _reissue(case: Case) -> str | None:
    before = case.desired.renewal.reissue_issued_before
    if case.revision is None or before is None or case.now < before or case.revision.meta.at >= before:
        return None
    return (
        f"issued at {case.revision.meta.at:%Y-%m-%dT%H:%M:%SZ}, wanted is none from before {before:%Y-%m-%dT%H:%M:%SZ}"
    )


def _due(case: Case) -> str | None:
    revision = case.revision
    if revision is None:
        return None
    choice = choose_renewal(case.desired.name, revision, case.desired.renewal, case.memory.renewal)
    if case.now < choice.at:
        return None
    end = f"{revision.facts.not_after:%Y-%m-%dT%H:%M:%SZ}"
    ends = f"certificate expired at {end}" if revision.facts.not_after <= case.now else f"certificate ends at {end}"
    return f"{ends}, renewal was due at {choice.at:%Y-%m-%dT%H:%M:%SZ} ({renewal_told(choice, revision)})"


POLICIES: Final = (
    Policy(Reason.MISSING, "A site without a certificate gets one.", _missing),
    Policy(Reason.CORRUPT, "A revision that cannot be read or is not complete is replaced.", _broken("Corrupt")),
    Policy(Reason.KEY_MISMATCH, "A certificate whose key does not fit is replaced.", _broken("KeyMismatch")),
    Policy(Reason.PLACEHOLDER, "A placeholder is replaced at the first chance.", _placeholder),
    Policy(Reason.IMPORT_CHANGED, "The certificate is the one that the site brings.", change_of),
    Policy(Reason.HOSTNAMES_DIFFER, "The certificate has exactly the declared hostnames.", _hostnames),
    Policy(Reason.ISSUER_CHANGED, "The certificate comes from one of the site's issuers.", _issuer),
    Policy(Reason.KEY_TYPE_DIFFERS, "The key is of the declared type.", _key_type),
    Policy(Reason.PROFILE_DIFFERS, "The certificate is of the declared profile.", _profile),
    Policy(Reason.REISSUE_WANTED, "The certificate was issued after `renewal.reissueIssuedBefore`.", _reissue),
    Policy(Reason.REQUESTED_BY_USER, "A person asks for a new one by `renew` or by the annotation.", request_of),
    Policy(Reason.RENEWAL_DUE, "The certificate is renewed before it ends.", _due),
)


def first_finding(case: Case, *, without: frozenset[Reason] = frozenset()) -> Finding | None:
    """Give the first policy that fires, None if the certificate is as wanted."""
    for policy in POLICIES:
        if policy.reason in without:
            continue
        message = policy.test(case)
        if message is not None:
            return Finding(policy.reason, message)
    return None


def explain_policies(case: Case) -> tuple[Verdict, ...]:
    """Give every policy's verdict, in the order in which they are asked."""
    answers = ((policy, policy.test(case)) for policy in POLICIES)
    return tuple(Verdict(policy.reason, answer is not None, answer or policy.sentence) for policy, answer in answers)
