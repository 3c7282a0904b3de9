"""What a batch teaches about sites and targets, written to the store before its outcome is told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reconciler.errors import Failed, OddFile, Stalled
from reconciler.execute.probes.judging import ports_seen
from reconciler.model.changes import Reason
from reconciler.model.names import Switch
from reconciler.model.observed import NO_SPEC, Inventory, Memory, PortSeen, Revision, Served, TargetRecord
from reconciler.model.plain import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.execute.probes.judging import Answer, Key
    from reconciler.execute.rules import Rules
    from reconciler.model.desired import DesiredSite, TargetSpec
    from reconciler.model.observed import Live
    from reconciler.model.ports import Clock, Lease, Store


def after_reload(entry: Inventory, live: str | None) -> Inventory:
    """Note what the server has loaded now."""
    return replace(entry, loaded=live, loaded_digest=entry.digest, restored=False)


@dataclass(frozen=True, slots=True)
class Concerned:
    """A site that a batch concerns; `desired` is None for one that is declared no more, or `left_out` of the pass."""

    name: str
    desired: DesiredSite | None = None
    left_out: bool = False

    @property
    def digest(self) -> str:
        """Give the digest of the spec that failures are counted for; empty, for any, of a site that was left out.

        Of one that is declared no more it is what no spec has: what kept it from being taken away says nothing of it
        once it is declared again.
        """
        if self.desired is not None:
            return self.desired.digest
        return "" if self.left_out else NO_SPEC

    def retry_at(self, memory: Memory) -> str | None:
        """Give the retry annotation, which this attempt acted on; without it every pass would try again at once."""
        if self.desired is None:
            return memory.handled_retry_at
        return self.desired.annotations.get("certwright/retryAt")


def _over(memory: Memory, target: str, newer: Collection[str]) -> Memory:
    """Forget the failures of a target that took up a revision, unless one of the `newer` is what it refused."""
    own, ended = f"target/{target}", f"ended/{target}"
    refused = memory.rejected.get(target) in newer
    if refused and ended not in memory.failures:
        return memory
    over = (own,) if refused else (own, ended)
    failures = {name: value for name, value in memory.failures.items() if name not in over}
    left = {name: value for name, value in memory.rejected.items() if name != target or refused}
    return replace(memory, failures=failures, rejected=left)


def _unserved(served: Served, why: str) -> Served:
    """Give what was seen, as no port shows it any more."""
    ports = (replace(one, fingerprint=None, reason=Reason.NOT_INCLUDED, message=why, names=()) for one in served.ports)
    return replace(served, ports=tuple(ports), ok=False)


@dataclass(frozen=True, slots=True)
class Remembering:
    """Writes failures and proofs."""

    store: Store
    clock: Clock
    rules: Rules

    def target_failed(self, lease: Lease, record: TargetRecord, spec: TargetSpec, reason: str, message: str) -> None:
        """Count a failure of the target as a whole, as it is declared now (`spec`)."""
        now = self.clock.now()
        failures = self.rules.after_failure(record.failures, Failed(reason, message), now, digest(spec), None)
        self.store.put_target(lease, replace(record, failures=failures))

    def install_failed(self, site: Concerned, spec: TargetSpec, reason: str, message: str) -> None:
        """Count a failure of one site in one target."""
        now = self.clock.now()
        key = f"target/{spec.name}"

        def update(memory: Memory) -> Memory:
            after = self.rules.after_failure(memory.failures.get(key), Failed(reason, message), now, site.digest)
            failures = {**memory.failures, key: after}
            return replace(memory, failures=failures, handled_retry_at=site.retry_at(memory))

        self._remember(site.name, update)
        self.store.event(site.name, reason, message, now)

    def taken_out(self, site: Concerned, spec: TargetSpec, message: str) -> None:
        """Note that a site is served there no more, for the others' sake; nothing keeps what mends it waiting."""
        now, key, reason = self.clock.now(), f"target/{spec.name}", Reason.TAKEN_OUT

        def update(memory: Memory) -> Memory:
            former = memory.failures.get(key)
            after = self.rules.after_failure(former, Failed(reason, message, until=now), now, site.digest)
            uncounted = replace(after, local=after.local - 1)
            served = {
                name: _unserved(one, message) if name == spec.name else one for name, one in memory.served.items()
            }
            return replace(memory, failures={**memory.failures, key: uncounted}, served=served)

        self._remember(site.name, update)
        self.store.event(site.name, reason, message, now)

    def put_back(self, site: str, message: str) -> None:
        """Note that what somebody changed of a site was put back, for the others' sake."""
        self.store.event(site, Reason.DRIFTED, message, self.clock.now())

    def rejected(self, site: Concerned, spec: TargetSpec, revision: str, message: str, reason: Reason) -> None:
        """Note that a server refused a revision, which is live no more; it is tried again later.

        One that the server ended of is held by the plan until a person says so, or there is little to lose.
        """
        now, ended = self.clock.now(), reason is Reason.SERVER_ENDED
        key = f"{'ended' if ended else 'target'}/{spec.name}"
        error = Stalled(reason, message, "a person tries it again") if ended else Failed(reason, message)

        def update(memory: Memory) -> Memory:
            after = self.rules.after_failure(memory.failures.get(key), error, now, site.digest)
            failures, refused = {**memory.failures, key: after}, {**memory.rejected, spec.name: revision}
            return replace(memory, failures=failures, rejected=refused, handled_retry_at=site.retry_at(memory))

        self._remember(site.name, update)
        self.store.event(site.name, reason, message, now)

    def taken_up(self, spec: TargetSpec, sites: Sequence[str], live: Mapping[str, Live]) -> None:
        """Forget what a server had refused and has loaded now, where no handshake proves more."""
        for name, memory in self.store.memory(sites).items():
            revision = live.get(name)
            if isinstance(revision, Revision) and spec.name in memory.rejected:
                newer = self._newer(name, revision)
                self.store.remember(name, partial(_over, target=spec.name, newer=newer))

    def _newer(self, site: str, revision: Revision) -> frozenset[str]:
        return frozenset(one.id for one in self.store.revisions(site) if one.meta.at > revision.meta.at)

    def installed(self, site: str, spec: TargetSpec) -> None:
        """Forget failures to install where no handshake proves more: what was counted is over."""
        key = f"target/{spec.name}"
        proven = spec.verify.ports and spec.verify.mode is not Switch.OFF
        remembered = self.store.memory([site])[site]
        if proven or key not in remembered.failures or spec.name in remembered.rejected:
            return

        def update(memory: Memory) -> Memory:
            return replace(memory, failures={name: value for name, value in memory.failures.items() if name != key})

        self._remember(site, update)

    def _remember(self, site: str, update: Callable[[Memory], Memory]) -> None:
        """Change a site's memory; one in whose place something odd stands is held and told by the next plan."""
        with suppress(OddFile):
            self.store.remember(site, update)

    def served(
        self,
        spec: TargetSpec,
        sites: Sequence[Concerned],
        live: Mapping[str, Live],
        seen: Mapping[Key, Answer],
    ) -> PortSeen | None:
        """Keep what each site's ports showed; give one that was not right, if any."""
        worst: PortSeen | None = None
        seen_of = ports_seen(seen)
        for site in sites:
            revision = live.get(site.name)
            ports = seen_of.get(site.name, ())
            if not isinstance(revision, Revision) or not ports:
                continue
            bad = next((port for port in ports if port.reason != Reason.SERVED), None)
            newer = self._newer(site.name, revision) if bad is None else frozenset()
            now, way = self.clock.now(), spec.verify.way
            self._keep(spec, site, Served(spec.name, revision.id, now, ports, ok=bad is None, way=way), bad, newer)
            worst = worst or bad
        return worst

    def _keep(
        self, spec: TargetSpec, site: Concerned, served: Served, bad: PortSeen | None, newer: Collection[str]
    ) -> None:
        key = f"target/{spec.name}"

        def update(memory: Memory) -> Memory:
            kept = {**memory.served, spec.name: served}
            noted = replace(memory, served=kept, handled_retry_at=site.retry_at(memory))
            if bad is None:
                return _over(noted, spec.name, newer)
            error = Failed(bad.reason, bad.message)
            after = self.rules.after_failure(memory.failures.get(key), error, served.at, site.digest)
            return replace(noted, failures={**memory.failures, key: after})

        self._remember(site.name, update)
