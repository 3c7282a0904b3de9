"""The proof: handshakes by SNI, repeated until the expected certificate is shown or the time is up.

While nothing shows it yet only a few are asked: a server with ten thousand names is not asked for all of them at each
look. With the first that is right all others are asked, once; then those alone that are not right.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.doors import tls, x509
from reconciler.errors import Failed
from reconciler.execute.probes import judging
from reconciler.model.changes import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from reconciler.execute.probes.judging import Answer, Expected, Key
    from reconciler.model.ports import Clock, Probe

Place = tuple[str, int]
_Seen = TypeVar("_Seen")

FEW: Final = 8
_AT_ONCE: Final = 16
_TIMEOUT: Final = 5.0
# a server that reloads lets its old workers answer a moment longer beside the new ones (nginx: 0.1 s)
_SETTLED: Final = 0.15
# with one certificate right the server has loaded its configuration: another name's stranger will hardly go away
_STRANGE_SECONDS: Final = 2.0


def prove(
    wanted: Sequence[Expected], owners: Mapping[str, str], clock: Clock, seconds: float, closed: float = math.inf
) -> Mapping[Key, Answer]:
    """Give what each (site, port, name) showed last; ends as soon as all are right, else after `seconds`.

    It ends after `closed` seconds where every port refuses connections. A few are asked twice, for old workers.
    `owners` are the sites by the fingerprint of their certificates.
    """
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, max(1, len(wanted)))) as pool:
        began = clock.monotonic()
        look = _Look(owners, clock, began + seconds, pool, began + closed)
        left = look.until_right(list(wanted))
        while not left and wanted and not clock.wait(_SETTLED):
            look.ask(wanted[:FEW])
            again = [one for one in wanted[:FEW] if not look.is_right(one)]
            if not again or look.is_late(again):
                break
            left = look.until_right(again)
    return judging.judged(wanted, look.seen)


@dataclass(slots=True)
class _Look:
    """One proof under way."""

    owners: Mapping[str, str]
    clock: Clock
    deadline: float
    pool: ThreadPoolExecutor
    closed: float = math.inf
    seen: dict[Key, Answer] = field(default_factory=dict)
    loaded: float | None = None

    def is_late(self, left: Sequence[Expected]) -> bool:
        """Tell whether the time is up; it is sooner where all that is left are strangers' certificates."""
        now = self.clock.monotonic()
        strange = all(one.key in self.seen and self.seen[one.key].reason in judging.STRANGE for one in left)
        return now >= self.deadline or (strange and self.loaded is not None and now >= self.loaded + _STRANGE_SECONDS)

    def is_over(self, rest: Sequence[Expected]) -> bool:
        """Tell whether every port has refused connections for too long; before that is believed, the rest is asked."""
        if self.clock.monotonic() < self.closed or not self._is_closed():
            return False
        self.ask(rest)
        return self._is_closed()

    def _is_closed(self) -> bool:
        return all(answer.closed for answer in self.seen.values())

    def is_right(self, one: Expected) -> bool:
        return one.key in self.seen and self.seen[one.key].reason == Reason.SERVED

    def ask(self, some: Sequence[Expected]) -> None:
        """Make these handshakes, side by side."""
        answers = self.pool.map(lambda one: _answer(one, self.owners), some)
        self.seen.update(zip((one.key for one in some), answers, strict=True))
        if self.loaded is None and any(map(self.is_right, some)):
            self.loaded = self.clock.monotonic()

    def until_right(self, left: list[Expected]) -> list[Expected]:
        """Ask until all are right or the time is up; give those that are not."""
        pause = 0.02
        while left:
            late = self.is_late(left)
            first, rest = left[:FEW], left[FEW:]
            self.ask(first)
            if late or any(self.is_right(one) for one in first):
                self.ask(rest)
            late = late or self.is_over(rest)
            left = [one for one in (*rest, *first) if not self.is_right(one)]
            if not left or late or self.clock.wait(pause):
                break
            pause = min(pause * 1.6, 1.0)
        return left


def _answer(one: Expected, owners: Mapping[str, str]) -> Answer:
    """Make one handshake and judge it by itself."""
    try:
        return _judged(one, _shaken(one.probe), owners)
    except Failed as failure:
        return judging.refused(failure)


def _shaken(probe: Probe) -> tls.Peer:
    return tls.handshake(probe.address, probe.port, probe.sni, timeout=_TIMEOUT, starttls=probe.starttls)


def _judged(one: Expected, peer: tls.Peer, owners: Mapping[str, str]) -> Answer:
    if peer.fingerprint in (one.fingerprint, *one.former):
        return judging.known(one, peer.fingerprint)
    return judging.stranger(one, x509.facts(peer.chain_der[0]), owners)


def before(
    probes: Sequence[Probe], wanted: Sequence[Expected], owners: Mapping[str, str], at_first: Callable[[], object]
) -> Callable[[], tuple[frozenset[Place], frozenset[Key]]]:
    """Begin to look which (address, port) pairs answer TLS now, and for whom a stranger's certificate is shown.

    One handshake for each that is wanted, and one with each port where none is. Each thread that looks does `at_first`
    before. What is returned waits for both and gives them.
    """
    met = {_place(one.probe) for one in wanted}
    others = {_place(probe): probe for probe in reversed(probes) if _place(probe) not in met}
    looks = [*((one.probe, one) for one in wanted), *((probe, None) for probe in others.values())]
    seen = _begun([partial(_before, probe, one, owners) for probe, one in looks], at_first)

    def found() -> tuple[frozenset[Place], frozenset[Key]]:
        shown = [(probe, one, *look.result()) for (probe, one), look in zip(looks, seen, strict=True)]
        answering = frozenset(_place(probe) for probe, _, answers, _ in shown if answers)
        return answering, frozenset(one.key for _, one, _, strange in shown if one is not None and strange)

    return found


def _place(probe: Probe) -> Place:
    return probe.address, probe.port


def _before(probe: Probe, one: Expected | None, owners: Mapping[str, str]) -> tuple[bool, bool]:
    """Tell whether TLS is answered there, and whether a stranger's certificate is shown."""
    try:
        peer = _shaken(probe)
        return True, one is not None and _judged(one, peer, owners).reason in judging.STRANGE
    except Failed as failure:
        return failure.reason not in ("NothingListens", "NoTls", "Timeout"), False


def _begun(looks: Sequence[Callable[[], _Seen]], at_first: Callable[[], object]) -> Sequence[Future[_Seen]]:
    def begun(look: Callable[[], _Seen]) -> _Seen:
        at_first()
        return look()

    pool = ThreadPoolExecutor(max_workers=min(_AT_ONCE, max(1, len(looks))))
    asked = [pool.submit(begun, look) for look in looks]
    pool.shutdown(wait=False)
    return asked
