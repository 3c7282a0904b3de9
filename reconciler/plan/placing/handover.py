"""A hostname that moves from one site to another on the same server: never a moment when nobody answers for it.

Who takes it is installed after its certificate came, in one switch with who gives it up; until then both wait.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from reconciler.model.changes import Hold, Reason
from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.observed import Abandoned, OnTarget
    from reconciler.plan.issuing.wish import Wish
    from reconciler.plan.placing.steps import Steps
    from reconciler.plan.placing.targets import Work

Round = Literal["early", "late", "there"]
_LAST_THIRD: Final = 1


@dataclass(frozen=True, slots=True)
class Handovers:
    """`givers[site][target]`: who takes names of it there, each with one of them. `pending[site]`: targets by giver.

    A pending one must not be installed before its certificate came.
    """

    givers: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    pending: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, wishes: Iterable[Wish], abandoned: Iterable[Abandoned]) -> Handovers:
        """Find them among the sites of a pass."""
        wishes = tuple(wishes)
        serving = {(target, name): giver for giver, target, name in (*_given_up(wishes), *_left(abandoned))}
        givers: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        pending: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for wish in wishes if serving else ():
            site = wish.desired.name
            for target, name in ((use.spec.name, name) for use in wish.desired.targets for name in wish.desired.names):
                giver = serving.get((target, name))
                if giver is not None and giver != site:
                    givers[giver][target].setdefault(site, name)
                    if not _covers(wish, name):
                        pending[site].setdefault(target, giver)
        return cls(givers, pending)

    def settled(self, steps: Mapping[str, Steps]) -> dict[str, Steps]:
        """Give the steps of all sites, with those that give names up in one round with those that take them."""
        return {name: self._giving(one, steps) if name in self.givers else one for name, one in steps.items()}

    def round(self, taker: str, target: str, steps: Mapping[str, Steps]) -> Round | None:
        """Tell in which round a taker's files come; None if they do not come yet."""
        one = steps.get(taker)
        if one is None:
            return None
        if target not in self.pending.get(taker, ()):
            if any(work.target == target and not work.remove for work in one.early):
                return "early"
            on = one.wish.observed.on.get(target)
            if on is not None and on.inventory is not None and _is_live(one.wish, on.inventory.loaded):
                return "there"
        return "late" if any(work.target == target for work in one.late) else None

    def blocked(self, giver: str, target: str, steps: Mapping[str, Steps]) -> Hold | None:
        """Hold what a site would give up on a target while one that takes of it does not come."""
        for taker, name in sorted(self.givers.get(giver, {}).get(target, {}).items()):
            if self.round(taker, target, steps) is None:
                message = f"{name} goes to site `{taker}`, which cannot be installed on {target} yet"
                ends = f"site `{taker}` has its certificate and can be installed"
                return Hold(Reason.HANDOVER_PENDING, message, site=giver, target=target, ends_when=ends)
        return None

    def takers(self, giver: str, target: str) -> tuple[str, ...]:
        """Give who takes names of a site on a target."""
        return tuple(sorted(self.givers.get(giver, {}).get(target, {})))

    def joins(self, giver: str, target: str, steps: Mapping[str, Steps]) -> bool:
        """Tell whether what a site gives up goes in the second round, after the certificates of those who take it."""
        return any(self.round(taker, target, steps) == "late" for taker in self.takers(giver, target))

    def _giving(self, one: Steps, steps: Mapping[str, Steps]) -> Steps:
        giver, targets = one.wish.desired.name, self.givers[one.wish.desired.name]
        heirs = {target: self.takers(giver, target) for target in targets}
        holds = tuple(hold for target in sorted(targets) if (hold := self.blocked(giver, target, steps)) is not None)
        if holds:
            return _held(replace(one, heirs=heirs), holds)
        joined = {target for target in targets if self.joins(giver, target, steps)}
        early = tuple(work for work in one.early if work.target not in joined)
        moved = {work.target: work for work in one.early if work.target in joined}
        late = tuple(_both(moved.pop(work.target, None), work) for work in one.late)
        own = giver in self.pending  # two sites that change names with each other: neither waits for the other
        after = () if own else tuple(sorted({taker for takers in heirs.values() for taker in takers}))
        return replace(one, early=early, late=late, joins=tuple(moved.values()), heirs=heirs, after=after)


def _both(early: Work | None, late: Work) -> Work:
    if early is None:
        return late
    rewritten = {file.path for file in late.files}
    files = (*(file for file in early.files if file.path not in rewritten), *late.files)
    return replace(late, files=files, reason=late.reason if late.files else early.reason)


def _held(one: Steps, holds: tuple[Hold, ...]) -> Steps:
    """Let a site keep what it would give up too early; in its last third its renewal goes on all the same."""
    targets = {hold.target for hold in holds}
    renews = one.issues and one.wish.rank <= _LAST_THIRD
    early = tuple(work for work in one.early if work.target not in targets and one.wish.activate is None)
    if renews:
        return replace(one, early=early, holds=(*one.holds, *holds))
    wish = replace(one.wish, activate=None, holds=(*one.wish.holds, *holds))
    return replace(one, wish=wish, placeholder=False, early=early, late=(), holds=(*one.holds, *holds))


def taking_hold(wish: Wish, target: str, giver: str) -> Hold:
    """Hold the files of a site that has no certificate yet for a name that another one still serves."""
    site = wish.desired.name
    return Hold(
        Reason.HANDOVER_PENDING,
        f"names of it are served by site `{giver}` on {target} until it has a certificate for them",
        site=site, target=target, ends_when=f"site `{site}` has its certificate",
    )  # fmt: skip


def _is_live(wish: Wish, loaded: str | None) -> bool:
    return isinstance(wish.live, Revision) and wish.live.id == loaded


def _covers(wish: Wish, name: str) -> bool:
    live = wish.live
    return isinstance(live, Revision) and not live.meta.placeholder and name in live.facts.hostnames


def _given_up(wishes: Iterable[Wish]) -> Iterator[tuple[str, str, str]]:
    """Give (site, target, name) of all that servers have loaded and the site no longer wants there."""
    for wish in wishes:
        names, used = frozenset(wish.desired.names), {use.spec.name for use in wish.desired.targets}
        for target, on in wish.observed.on.items():
            served = _served(wish, on)
            for name in served - (names if target in used else frozenset()):
                yield wish.desired.name, target, name


def _served(wish: Wish, on: OnTarget) -> frozenset[str]:
    loaded = on.inventory.loaded if on.inventory is not None else None
    if loaded is None:
        return frozenset()
    live = wish.observed.live
    stored = (live, *wish.observed.others) if isinstance(live, Revision) else wish.observed.others
    found = next((one for one in stored if one.id == loaded and not one.meta.placeholder), None)
    return frozenset(found.facts.hostnames) if found is not None else frozenset()


def _left(abandoned: Iterable[Abandoned]) -> Iterator[tuple[str, str, str]]:
    for one in abandoned:
        if one.certificate is not None and not one.certificate.meta.placeholder:
            for target, inventory in one.installed.items():
                if inventory.loaded is not None:
                    yield from ((one.name, target, name) for name in one.certificate.facts.hostnames)
