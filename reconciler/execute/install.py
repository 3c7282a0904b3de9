"""One batch of a target: switch its files, test, reload, remember what is loaded, prove. Or put everything back.

Under the target's lease; takes no site's lease: reads `live`, which is one atomic pointer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed
from reconciler.execute import swap as swaps
from reconciler.execute.isolate import Isolation
from reconciler.execute.probes import handshakes
from reconciler.execute.remember import Remembering, after_reload
from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.names import Switch as Mode
from reconciler.model.observed import Failures, Inventory, Revision, TargetRecord
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Artifact, Refusal, SiteOnTarget, Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.execute.hands import LocalHands
    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Live, PortSeen
    from reconciler.model.ports import Clock, Declared, Lease, Probe, Store, Target

_PROOF_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class TargetBatches:
    """Runs batches. `targets` builds a target from its spec; `seats` says how the sites of a pass look to a target."""

    store: Store
    targets: Callable[[TargetSpec], Target]
    seats: Callable[[str, Declared], Mapping[str, SiteOnTarget]]
    hands: LocalHands
    clock: Clock
    memory: Remembering
    verb: str = "apply"
    wait: float = 60.0

    def __call__(self, target: str, changes: Sequence[Change], declared: Declared) -> Sequence[Outcome]:
        """Do the batch; the outcomes are those of its changes."""
        with self.store.claim(f"target/{target}", self.verb, self.wait) as lease:
            self._recover(lease, target)
            spec = declared.targets.get(target) or self.store.targets()[target].spec
            return _Batch(self, lease, self.targets(spec), declared, tuple(changes)).run()

    def _recover(self, lease: Lease, target: str) -> None:
        """Put back what a killed process left half-way; what it had loaded decides whether a reload is due."""
        record = self.store.switching(target)
        if record is None:
            return
        left = swaps.put_back(record)
        if left:
            raise Failed("PathRefused", f"an interrupted switch could not be put back: {', '.join(left[:3])}")
        self.store.put_switch(lease, target, None)


@dataclass(slots=True)
class _Batch:
    """The state of one batch while it runs."""

    tool: TargetBatches
    lease: Lease
    target: Target
    declared: Declared
    changes: tuple[Change, ...]
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    entries: dict[str, Inventory] = field(default_factory=dict)
    live: Mapping[str, Live] = field(default_factory=dict)
    seats: Mapping[str, SiteOnTarget] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Give the target's name."""
        return self.target.spec.name

    @property
    def reload(self) -> Change | None:
        """Give the batch's reload, if it has one."""
        return next((change for change in self.changes if change.verb is Verb.RELOAD), None)

    @property
    def files(self) -> list[Change]:
        """Give the installs and uninstalls."""
        return [change for change in self.changes if change.verb is not Verb.RELOAD]

    def run(self) -> list[Outcome]:
        """Do all of it."""
        self.seats = self.tool.seats(self.name, self.declared)
        touched = {change.site or "" for change in self.files}
        self.live = self.tool.store.live({*self.seats, *touched} - {""})
        switch = swaps.Switch(tuple(self._swaps()))
        self.tool.store.put_switch(self.lease, self.name, switch.record())
        self._switch(switch)
        tested = self._test(switch)
        broken = self._judge(switch, tested)
        if broken is not None:
            return self._all_failed(Reason.TARGET_BROKEN, broken)
        outcome = self._reload(switch)
        return [*([outcome] if outcome else []), *(self._outcome(change) for change in self.files)]

    # --- files ---------------------------------------------------------------------------------------------------

    def _swaps(self) -> list[swaps.Swap]:
        rendered = self._rendered()
        found: list[swaps.Swap] = []
        for change in self.files:
            site = change.site or ""
            artifacts = rendered.get(site, ()) if change.verb is Verb.INSTALL else ()
            if isinstance(artifacts, Refusal):
                self.failed[site] = (artifacts.reason, artifacts.message)
                continue
            try:
                found.extend(self._site_swaps(site, artifacts))
            except Failed as failure:
                self.failed[site] = (failure.reason, str(failure))
        return found

    def _rendered(self) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        wanted = [self.seats[name] for name in self._installed_sites() if name in self.seats]
        shared = self.target.shared(list(self.seats.values())) if self._concerns_shared() else ()
        return {**self.target.render(wanted), "": shared}

    def _installed_sites(self) -> list[str]:
        return [change.site or "" for change in self.files if change.verb is Verb.INSTALL]

    def _concerns_shared(self) -> bool:
        return any(not change.site for change in self.files)

    def _site_swaps(self, site: str, artifacts: Collection[Artifact]) -> list[swaps.Swap]:
        entry = self._entry(site)
        self.entries[site] = entry
        ours = {file.path: file for file in entry.files}
        live = self.live.get(site)
        revision = live.id if isinstance(live, Revision) else None
        needs_key = any(artifact.text is None for artifact in artifacts)
        bundle = self.tool.store.bundle(site, revision) if needs_key and revision else None
        found = []
        for artifact in artifacts:
            before = swaps.read(artifact.path)
            after = swaps.wanted(artifact, bundle)
            if before is not None and artifact.path not in ours and before.data != after.data:
                self._foreign(artifact)
            held = revision if artifact.text is None else None
            found.append(swaps.Swap(site, artifact.path, artifact.part, before, after, held))
        kept = {artifact.path for artifact in artifacts}
        found += [
            swaps.Swap(site, path, file.part, swaps.read(path), None) for path, file in ours.items() if path not in kept
        ]
        return found

    def _foreign(self, artifact: Artifact) -> None:
        if self.target.spec.existing == "adopt":
            return
        text = f"{artifact.path} is not ours and stands where ours should; move it away, or set `existing: adopt`"
        raise Failed(Reason.FOREIGN_FILE, text)

    def _entry(self, site: str) -> Inventory:
        if site:
            return self.tool.store.inventory_of(self.name, site) or Inventory(site)
        record = self.tool.store.targets().get(self.name)
        return record.shared if record else Inventory("")

    # --- switch and test -----------------------------------------------------------------------------------------

    def _switch(self, switch: swaps.Switch) -> None:
        """Put all files in place; if that fails, each site for itself, so that one bad path holds one site."""
        try:
            switch.forward(None)
        except Failed:
            for site in sorted({swap.site for swap in switch.swaps}):
                try:
                    switch.forward({site})
                except Failed as failure:
                    self.failed[site] = (failure.reason, str(failure))

    def _test(self, switch: swaps.Switch) -> Tested:
        if self.target.spec.test is None:
            return Tested(ok=True, output="")
        return self.target.test(self.tool.hands, [swap.path for swap in switch.swaps])

    def _judge(self, switch: swaps.Switch, tested: Tested) -> str | None:
        """Hold the sites that broke the test; give the test's words if the target was broken before us."""
        if tested.ok:
            return None
        sites = sorted({swap.site for swap in switch.swaps if swap.differs} - self.failed.keys())
        verdict = Isolation(switch, lambda: self._test(switch), self.tool.clock).search(sites, tested)
        for site, output in verdict.bad:
            self.failed[site] = (Reason.REJECTED_BY_SERVER, _first_lines(output))
        return verdict.broken

    # --- reload and proof ----------------------------------------------------------------------------------------

    def _reload(self, switch: swaps.Switch) -> Outcome | None:
        if self.reload is None:
            self._keep(switch, loaded=False)
            return None
        sites = [name for name in self._affected() if name not in self.failed]
        before = handshakes.answering(self._ports()) if self._verifies() else frozenset()
        started = self.tool.clock.monotonic()
        answer = self._activated()
        self._keep(switch, loaded=answer.ok, sites=sites)
        if not answer.ok:
            text = f"the reload failed: {_first_lines(answer.output)}"
            self.tool.memory.target_failed(self.lease, self._record(), Reason.NOT_LOADED, text)
            return Outcome(self.reload, Status.FAILED, Reason.NOT_LOADED, text)
        if not self._verifies():
            return Outcome(self.reload, Status.DONE, message="reloaded")
        seconds = _PROOF_SECONDS + 3 * (self.tool.clock.monotonic() - started)
        return self._proven(switch, sites, before, seconds)

    def _activated(self) -> Tested:
        if self.target.spec.reload.command is None:
            return Tested(ok=True, output="")
        return self.target.activate(self.tool.hands)

    def _affected(self) -> list[str]:
        """Give the sites whose loaded state this reload changes: those in the batch, and those whose `live` moved."""
        touched = {change.site for change in self.files if change.site}
        moved = [name for name in self.seats if self._loaded(name) != self._live_id(name)]
        return sorted({*touched, *moved, *self._unproven()})

    def _unproven(self) -> list[str]:
        """Give the sites for whose sake alone a reload is made: those not seen serving what is live."""
        if self.reload is None or self.reload.reason is not Reason.NOT_SERVED:
            return []
        served = {name: memory.served.get(self.name) for name, memory in self.tool.store.memory(self.seats).items()}
        return [
            name
            for name, seen in served.items()
            if seen is None or not seen.ok or seen.revision != self._live_id(name)
        ]

    def _loaded(self, site: str) -> str | None:
        return self._known(site).loaded

    def _known(self, site: str) -> Inventory:
        if site not in self.entries:
            self.entries[site] = self._entry(site)
        return self.entries[site]

    def _live_id(self, site: str) -> str | None:
        live = self.live.get(site)
        return live.id if isinstance(live, Revision) else None

    def _verifies(self) -> bool:
        return self.target.spec.verify.mode is not Mode.OFF and bool(self.target.spec.verify.ports)

    def _ports(self) -> list[Probe]:
        return [probe for seat in self.seats.values() for probe in self.target.probes(seat)]

    def _proven(
        self, switch: swaps.Switch, sites: Sequence[str], before: frozenset[tuple[str, int]], seconds: float
    ) -> Outcome:
        reload = self.reload or self.changes[0]
        expected = [one for name in sites for one in self._expected(name)]
        seen = handshakes.prove(expected, self.tool.clock, seconds)
        worse = self._worse(expected, seen, before)
        if worse is not None and any(swap.differs for swap in switch.swaps):
            return self._taken_back(switch, worse)
        bad = self.tool.memory.served(self.target.spec, sites, self.live, seen)
        if bad and self.target.spec.verify.mode is Mode.ENFORCE:
            return Outcome(reload, Status.FAILED, bad.reason, bad.message)
        return Outcome(reload, Status.DONE, message="reloaded" + (", and seen served" if expected and not bad else ""))

    def _expected(self, name: str) -> list[handshakes.Expected]:
        live = self.live.get(name)
        if not isinstance(live, Revision) or name not in self.seats:
            return []
        former = frozenset(one.facts.fingerprint for one in self.tool.store.revisions(name)) - {live.facts.fingerprint}
        probes = self.target.probes(self.seats[name])
        return [handshakes.Expected(name, probe, live.facts.fingerprint, former) for probe in probes]

    def _worse(
        self,
        expected: Sequence[handshakes.Expected],
        seen: Mapping[tuple[str, int], PortSeen],
        before: frozenset[tuple[str, int]],
    ) -> str | None:
        """Give a sentence if a port that answered TLS no longer does, or a name lost a certificate it had."""
        remembered = self.tool.store.memory({one.site for one in expected})
        for one in expected:
            answer = seen[one.site, one.probe.port]
            if answer.fingerprint is not None and answer.reason != Reason.NOT_INCLUDED:
                continue
            served = remembered[one.site].served.get(self.name)
            lost = served is not None and served.ok
            silent = answer.fingerprint is None and (one.probe.address, one.probe.port) in before
            if lost or silent:
                return f"after the reload {answer.message or 'the port no longer answers TLS'}"
        return None

    def _taken_back(self, switch: swaps.Switch, why: str) -> Outcome:
        switch.back(None)
        self._activated()
        for change in self.files:
            self.failed[change.site or ""] = (Reason.REJECTED_BY_SERVER, f"{why}; the former files were put back")
        self._keep(switch, loaded=False)
        reload = self.reload or self.changes[0]
        return Outcome(reload, Status.FAILED, Reason.REJECTED_BY_SERVER, f"{why}; the former files were put back")

    # --- memory --------------------------------------------------------------------------------------------------

    def _record(self) -> TargetRecord:
        known = self.tool.store.targets().get(self.name)
        record = known or TargetRecord(self.target.spec)
        return replace(record, spec=self.target.spec)

    def _keep(self, switch: swaps.Switch, *, loaded: bool, sites: Sequence[str] = ()) -> None:
        """Write the inventory, then forget the switch: from here on nothing has to be put back."""
        changed: dict[str, Inventory | None] = {}
        for change in self.files:
            site = change.site or ""
            if site in self.failed:
                continue
            entry = replace(self.entries[site], files=switch.installed(site))
            changed[site] = None if change.verb is Verb.UNINSTALL and site else entry
        if loaded:
            for name in sites:
                now = changed.get(name, self._known(name)) if name in self.seats else None
                if now is not None:
                    changed[name] = after_reload(now, self._live_id(name))
        self._write(changed, loaded=loaded)

    def _write(self, changed: dict[str, Inventory | None], *, loaded: bool) -> None:
        record = self._record()
        shared = changed.pop("", None)
        reloaded = self.tool.clock.now() if loaded else record.last_reload
        failures = Failures() if loaded else record.failures
        new = replace(record, shared=shared or record.shared, last_reload=reloaded, failures=failures)
        self.tool.store.put_inventory(self.lease, self.name, changed)
        self.tool.store.put_target(self.lease, new)
        self.tool.store.put_switch(self.lease, self.name, None)

    def _outcome(self, change: Change) -> Outcome:
        problem = self.failed.get(change.site or "")
        if problem is None:
            return Outcome(change, Status.DONE)
        if change.site:
            self.tool.memory.install_failed(change.site, self.target.spec, *problem)
        return Outcome(change, Status.FAILED, *problem)

    def _all_failed(self, reason: str, output: str) -> list[Outcome]:
        self.tool.store.put_switch(self.lease, self.name, None)
        text = f"the server's own test fails without our changes: {_first_lines(output)}"
        self.tool.memory.target_failed(self.lease, self._record(), reason, text)
        return [Outcome(change, Status.FAILED, reason, text) for change in self.changes]


def _first_lines(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(lines[:3]) or "it said nothing"
