"""What holds targets as wholes, whichever of their sites is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Hold, Reason
from reconciler.model.plain import digest
from reconciler.model.text import some
from reconciler.plan.backoff import hold_for
from reconciler.plan.placing.targets import reloads, work_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import World
    from reconciler.model.ports import Limits
    from reconciler.plan.issuing.wish import Wish

# a site that a worker has in hand is back within seconds
_TOGETHER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Gate:
    """What holds targets as wholes: a broken one, one of which a part alone would move, one just reloaded (`run`).

    `declared`: the targets as the manifests have them now.
    """

    world: World
    limits: Limits
    now: datetime
    torn: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    declared: Mapping[str, TargetSpec] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def hold(self, target: str, spec: TargetSpec, site: str | None) -> Hold | None:
        """Give the hold on a target for one of its sites (None: on what its sites share)."""
        return (
            self.tears(target, site)
            or self._broken(target, spec, site)
            or self._parted(target, site)
            or self._delayed(target, spec, site)
        )

    def lost(self, target: str, site: str) -> Hold | None:
        """Hold what would be taken out of a target of which neither a manifest nor the store says what it is."""
        seen = self.world.targets.get(target)
        if seen is None or not seen.damage:
            return None
        ends = "that is mended, or a manifest declares the target again"
        return Hold(Reason.STORE_DAMAGED, seen.damage, site=site, target=target, ends_when=ends, failed=True)

    def _broken(self, target: str, spec: TargetSpec, site: str | None) -> Hold | None:
        """Hold a target whose own test or reload failed; not once another one is declared, which may work."""
        seen = self.world.targets.get(target)
        if seen is None or seen.record is None or seen.record.failures.last is None:
            return None
        failures = seen.record.failures
        if target not in self._digests:
            self._digests[target] = digest(self.declared.get(target, spec))
        held = hold_for(
            failures, self._digests[target], self.now, site=site or "", released=False, kind="target", target=target
        )
        return replace(held, site=site, reason=Reason.TARGET_BROKEN, failed=True) if held else None

    def _parted(self, target: str, site: str | None) -> Hold | None:
        """Hold a target that moves to another directory while sites that this pass leaves out are in the old one.

        Where the server includes the new one alone, a reload would take them down. Only the watch loop comes back to it
        by itself.
        """
        seen = self.world.targets.get(target)
        if seen is None or not seen.behind:
            return None
        message = f"{target} moves to another directory as a whole, and this pass leaves out {some(seen.behind)}"
        return self._together(message, target, site)

    def tears(self, target: str, site: str | None) -> Hold | None:
        """Hold a target where a file that sites share lost lines which this pass would not put back."""
        seen = self.world.targets.get(target)
        out = seen.torn if seen is not None else ()
        suspended = self.torn.get(target, ())
        if out:
            text = (
                f"a file that the sites of {target} share is damaged, and this pass leaves out the lines of {some(out)}"
            )
            return self._together(text, target, site)
        if not suspended:
            return None
        text = f"a file that the sites of {target} share is damaged; the lines of {some(suspended)} are not put back"
        ends = f"`suspend` is taken out of {some(suspended)}"
        return Hold(Reason.HANDOVER_PENDING, text, site=site, target=target, ends_when=ends, failed=True)

    def _together(self, message: str, target: str, site: str | None) -> Hold:
        until = self.now + _TOGETHER if self.limits.batching else None
        return Hold(
            Reason.HANDOVER_PENDING, message, site=site, target=target, until=until,
            ends_when="one pass takes them all: certwright apply", failed=until is None,
        )  # fmt: skip

    def _delayed(self, target: str, spec: TargetSpec, site: str | None) -> Hold | None:
        seen = self.world.targets.get(target)
        if not self.limits.batching or seen is None or seen.record is None or seen.switching or not reloads(spec):
            return None
        last = seen.record.last_reload
        if last is None or not last <= self.now < last + spec.reload.delay:
            return None
        if seen.shared is not None and seen.shared.unbuilt:
            return None  # until it is made anew, the server has nothing to serve, or what nobody meant
        message = f"{target} was reloaded a moment ago; what changed shares the next reload"
        return Hold(Reason.RELOAD_DELAYED, message, site=site, target=target, until=last + spec.reload.delay)


def torn_by(wishes: Iterable[Wish], now: datetime) -> Mapping[str, tuple[str, ...]]:
    """Give the suspended sites by target whose lines went with a whole file and cannot come back as they were."""
    found: dict[str, tuple[str, ...]] = {}
    for wish in wishes:
        for use in wish.desired.targets if wish.desired.suspend else ():
            work = work_of(wish, use.spec, now)
            if work.torn and not work.stands_again:
                found[work.target] = (*found.get(work.target, ()), wish.desired.name)
    return found
