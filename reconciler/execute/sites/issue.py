"""Site changes: register, issue, activate, archive, clean-up. Under the site's lease, re-observed once it is held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reconciler.errors import CertwrightError, Failed, NamesFailed, Stalled, Transient, Waiting
from reconciler.execute.sites.obtaining import Obtaining, issuer_named
from reconciler.execute.sites.publishing import Publishing
from reconciler.execute.sites.undoing import undo
from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.observed import BrokenRevision, Memory, Revision, RevisionMeta
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Bundle, Issued
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.execute.rules import Makers, Rules
    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.observed import Live, NameMemory, RenewalChoice
    from reconciler.model.ports import Challenges, Clock, Declared, Issuer, Lease, StagedIssuer, Store


@dataclass(frozen=True, slots=True)
class SiteSteps:
    """The verbs of a site. `verb` names the command for locks; `wait` is the lock timeout in seconds."""

    store: Store
    issuers: Callable[[IssuerSpec], Issuer]
    challenges: Challenges
    clock: Clock
    rules: Rules
    makers: Makers
    say: Callable[[str, str], None]
    verb: str = "apply"
    wait: float = 60.0

    @property
    def obtaining(self) -> Obtaining:
        """Give what asks issuers."""
        parts = (self.store, self.issuers, self.challenges, self.clock, self.rules, self.makers, self.say)
        return Obtaining(*parts)

    def __call__(self, change: Change, declared: Declared) -> Outcome:
        """Do one change of a site or an issuer."""
        match change.verb:
            case Verb.REGISTER:
                return self._register(change, declared.issuers[change.issuer or ""])
            case Verb.CLEAN_UP:
                return self._clean_up(change, declared)
            case Verb.ARCHIVE:
                return self._archive(change)
            case Verb.PUBLISH | Verb.UNPUBLISH | Verb.REFRESH:
                return self._addresses(change, declared.sites.get(change.site or ""))
            case _:
                return self._with_lease(change, declared.sites[change.site or ""])

    def _register(self, change: Change, spec: IssuerSpec) -> Outcome:
        try:
            account = self.issuers(spec).register()
        except Waiting as wait:
            wait.until = self.rules.after_failure(None, wait, self.clock.now(), "").next_attempt or wait.until
            raise
        return Outcome(change, Status.DONE, message=account.url or "" if account else "")

    def _clean_up(self, change: Change, declared: Declared) -> Outcome:
        """Take away what was left, also of a site that is not declared; an order that came meanwhile keeps its own."""
        site = change.site or ""
        with self.store.claim(f"site/{site}", self.verb, self.wait):
            order = self.store.orders([site]).get(site) if site in declared.names else None
            if order is not None and order.goes_on(self.clock.now()):
                text = "another process has begun an order that needs it"
                return Outcome(change, Status.SKIPPED, Reason.NO_LONGER_PLANNED, text)
            left = self.store.undo(change.subject.partition("/")[2])
            desired = declared.sites.get(site)
            methods = [way for ways in desired.methods.values() for way in ways] if desired is not None else []
            problem = undo(self.store, self.challenges, left[0], methods) if left else None
        if problem:
            text = f"{left[0].shown} of site {site} is not taken away: {problem}"
            return Outcome(change, Status.FAILED, Reason.LEFT_BEHIND, text)
        return Outcome(change, Status.DONE)

    def _addresses(self, change: Change, site: DesiredSite | None) -> Outcome:
        publishing = Publishing(self.store, self.challenges, self.clock, self.rules, self.say)
        with self.store.claim(f"site/{change.site}", self.verb, self.wait) as lease:
            if site is not None:
                self.store.put_meaning(lease, site)
            if site is not None and change.verb is Verb.PUBLISH:
                return publishing.publish(change, site)
            if site is not None and change.verb is Verb.REFRESH:
                return publishing.refresh(change, site)
            return publishing.withdraw(change, site)

    def _archive(self, change: Change) -> Outcome:
        site = change.site or ""
        with self.store.claim(f"site/{site}", self.verb, self.wait) as lease:
            self.store.archive(lease, site, change.former)
        self.store.event(site, "Archived", "kept in archive/ for 30 days", self.clock.now())
        return Outcome(change, Status.DONE)

    def skipped(self, ended: Outcome, declared: Declared) -> None:
        """Remember that an order could not be begun (account or server failed), so that it is not tried at once."""
        site = declared.sites.get(ended.change.site or "")
        if ended.change.verb is not Verb.ISSUE or site is None:
            return
        failure: Failed | Waiting = Failed(
            Reason.DEPENDENCY_FAILED, ended.message, blame=ended.blame, until=ended.again
        )
        if ended.status is Status.WAITING and ended.again is not None:
            failure = Waiting(ended.reason, ended.message, ended.again)
        self._remember_failure(site, self.store.live([site.name])[site.name], failure)

    def _with_lease(self, change: Change, site: DesiredSite) -> Outcome:
        with self.store.claim(f"site/{site.name}", self.verb, self.wait) as lease:
            live = self.store.live([site.name])[site.name]
            if not _as_planned(change, live):
                return Outcome(
                    change, Status.SKIPPED, Reason.NO_LONGER_PLANNED, "another process changed the certificate"
                )
            self.store.put_meaning(lease, site)
            if change.verb is Verb.ACTIVATE and change.revision is not None:
                revision = change.revision if change.former is None else self._taken_over(change, lease)
                self._drop_finished(site, lease, revision)
                self.store.unarchive(lease, site.name, revision)
                self.store.activate(lease, site.name, revision, _id(live))
                return self._activated(change, site, revision)
            return self._made(change, site, lease, live)

    def _taken_over(self, change: Change, lease: Lease) -> str:
        """Store what a renamed site had under its former name; give the id of the revision that goes live."""
        former, site = change.former or "", change.site or ""
        stored = {one.id: one for one in self.store.revisions(former) if not one.meta.placeholder}
        if change.revision not in stored:
            raise Failed(Reason.CORRUPT, f"revision {change.revision} of site {former} is there no more")
        made = {
            name: self.store.put_revision(lease, site, self.store.bundle(former, name), one.meta)
            for name, one in sorted(stored.items())
        }
        return made[change.revision]

    def _made(self, change: Change, site: DesiredSite, lease: Lease, live: Live) -> Outcome:
        if change.verb is Verb.ACTIVATE:
            key = self.makers.key(site.key.algorithm)
            issued, told = self.makers.placeholder(site, key, self.clock.now()), ""
        else:
            self._drop_finished(site, lease, _id(live) or "")
            try:
                if change.stops:
                    return self._left_to_a_person(change, site, lease, live)
                key, issued, told = self.obtaining.obtain(change, site, lease, live)
            except (Failed, Waiting, Stalled, Transient) as failure:
                again = self._remember_failure(site, live, failure)
                if isinstance(failure, Waiting):
                    failure.until = again or failure.until
                raise
            if issued.key is not None and change.brought != f"import {issued.facts.fingerprint}":
                text = "another certificate was brought meanwhile"
                return Outcome(change, Status.SKIPPED, Reason.NO_LONGER_PLANNED, text)
        bundle = Bundle(key, issued.certificate, issued.chain)
        revision = self.store.put_revision(lease, site.name, bundle, self._meta(change, site, issued))
        if change.verb is Verb.ISSUE:
            # before it goes live: after a crash in between it is activated, and nothing of the order is left
            self.store.drop_order(lease, site.name, keep_key=False)
        self.store.activate(lease, site.name, revision, _id(live))
        return replace(self._activated(change, site, revision), message=told)

    def _drop_finished(self, site: DesiredSite, lease: Lease, revision: str) -> None:
        """Forget an order whose certificate was stored before a crash: taken up, it would give that one again."""
        stored = next((one for one in self.store.revisions(site.name) if one.id == revision), None)
        if stored is None or stored.meta.placeholder:
            return
        order = self.store.orders([site.name]).get(site.name)
        if order is None or stored.meta.at >= order.intent_at:
            self.store.drop_order(lease, site.name, keep_key=False)

    def _left_to_a_person(self, change: Change, site: DesiredSite, lease: Lease, live: Live) -> Outcome:
        """Make the order and leave it (`stopAt`)."""
        spec = issuer_named(change.issuer, site)
        issuer = cast("StagedIssuer", self.issuers(spec))
        desk = self.obtaining.desk(site, lease, live, spec)
        issuer.offer(self.obtaining.by_hand(site, live, change.reason, change.hostnames), desk)
        text = f"ordered, and left to a person: certwright challenges {site.name}"
        self.store.event(site.name, Reason.WAITING_FOR_SOLVE, text, self.clock.now())
        return Outcome(change, Status.DONE, message=text)

    def _meta(self, change: Change, site: DesiredSite, issued: Issued) -> RevisionMeta:
        placeholder = change.reason is Reason.PLACEHOLDER and change.verb is Verb.ACTIVATE
        spec = issuer_named(change.issuer, site)
        memory = self.store.memory([site.name])[site.name]
        asked = (memory.renew_requested, site.annotations.get("certwright/renewAt"), change.brought)
        return RevisionMeta(
            issuer="self-signed" if placeholder else spec.name,
            trust=spec.trust,
            directory=issued.directory,
            account=issued.account,
            profile=issued.profile,
            challenges=issued.challenges,
            spec_digest=site.digest,
            reason=change.reason,
            at=self.clock.now(),
            placeholder=placeholder,
            requested=() if placeholder else tuple(one for one in asked if one is not None),
            account_name=spec.account if spec.type == "acme" else None,
        )

    def _activated(self, change: Change, site: DesiredSite, revision: str) -> Outcome:
        live = self.store.live([site.name])[site.name]
        if not isinstance(live, Revision) or live.id != revision:
            text = live.message if isinstance(live, BrokenRevision) else "it is not live"
            raise Failed("Corrupt", f"what was just stored does not read back: {text}")
        if change.verb is Verb.ISSUE:
            choice = self.rules.choose_renewal(site.name, live, site.renewal, None)
            names = live.facts.hostnames

            def update(memory: Memory) -> Memory:
                return _after_success(memory, site, choice, self.rules.names_issued(site, memory, names))

            self.store.remember(site.name, update)
        self.store.event(site.name, change.reason, f"{change.verb}: {clean(change.message)}", self.clock.now())
        return Outcome(change, Status.DONE, revision=revision)

    def _remember_failure(self, site: DesiredSite, live: Live, failure: CertwrightError) -> datetime | None:
        """Remember it and write it down; give when it is tried again, None where nobody knows or nothing is kept."""
        if isinstance(failure, Waiting) and failure.reason == Reason.IN_FLIGHT:
            return None
        now = self.clock.now()
        not_after = live.facts.not_after if isinstance(live, Revision) and not live.meta.placeholder else None

        def update(memory: Memory) -> Memory:
            after = self.rules.after_failure(memory.failures.get("issue"), failure, now, site.digest, not_after)
            names, goes_on = self.rules.after_names(site, live, memory, failure, now)
            if goes_on:
                after = replace(after, next_attempt=None, stalled=None)
            expired = now if not_after and not_after < now else None
            since = memory.expired_since_attempt or expired
            tried = site.annotations.get("certwright/retryAt")  # acted on once, also where it was in vain
            failures = {**memory.failures, "issue": after}
            return replace(memory, failures=failures, names=names, expired_since_attempt=since, handled_retry_at=tried)

        kept = self.store.remember(site.name, update)
        reason = getattr(failure, "reason", type(failure).__name__)
        for one in failure.failures if isinstance(failure, NamesFailed) else (failure,):
            place = f" ({one.url})" if isinstance(one, Failed) and one.url else ""
            self.store.event(site.name, getattr(one, "reason", reason), clean(f"{one}{place}"), now)
        return kept.failures["issue"].next_attempt


def _id(live: Live) -> str | None:
    return live.id if isinstance(live, Revision | BrokenRevision) else None


def _as_planned(change: Change, live: Live) -> bool:
    """Tell whether what is live is what the plan saw, or the placeholder that the same plan put there."""
    fresh = isinstance(live, Revision) and live.meta.placeholder and change.live is None and change.verb is Verb.ISSUE
    return fresh or _id(live) == change.live


def _after_success(memory: Memory, site: DesiredSite, choice: RenewalChoice, names: Mapping[str, NameMemory]) -> Memory:
    failures = {name: value for name, value in memory.failures.items() if name != "issue"}
    return replace(
        memory,
        failures=failures,
        names=names,
        renewal=choice,
        handled_renew_at=site.annotations.get("certwright/renewAt"),
        handled_retry_at=site.annotations.get("certwright/retryAt"),
        renew_requested=None,
        expired_since_attempt=None,
    )
