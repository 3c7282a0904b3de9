"""The proof: handshakes by SNI, repeated until the expected certificate is shown or the time is up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.doors import tls
from reconciler.errors import Failed
from reconciler.model.changes import Reason
from reconciler.model.observed import PortSeen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.ports import Clock, Probe

_AT_ONCE: Final = 16
_TIMEOUT: Final = 5.0
# a server that reloads lets its old workers answer a moment longer beside the new ones (nginx: 0.1 s)
_SETTLED: Final = 0.15


@dataclass(frozen=True, slots=True)
class Expected:
    """One handshake to make: whose, where, the fingerprint that should be shown and those the site had before."""

    site: str
    probe: Probe
    fingerprint: str
    former: frozenset[str] = frozenset()


def prove(wanted: Sequence[Expected], clock: Clock, seconds: float) -> Mapping[tuple[str, int], PortSeen]:
    """Give what each (site, port) showed last; ends as soon as all are right twice, else after `seconds`.

    Reasons: Served, OldCertificateServed, NothingListens, NotIncluded (another certificate answers for the name).
    """
    seen: dict[tuple[str, int], PortSeen] = {}
    deadline = clock.monotonic() + seconds
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, max(1, len(wanted)))) as pool:
        left = _until_right(list(wanted), seen, pool, clock, deadline)
        while not left and wanted and not clock.wait(_SETTLED):
            _ask(wanted[:_AT_ONCE], seen, pool)
            again = [one for one in wanted[:_AT_ONCE] if not _right(one, seen)]
            if not again or clock.monotonic() >= deadline:
                break
            left = _until_right(again, seen, pool, clock, deadline)
    return seen


def _until_right(
    left: list[Expected],
    seen: dict[tuple[str, int], PortSeen],
    pool: ThreadPoolExecutor,
    clock: Clock,
    deadline: float,
) -> list[Expected]:
    """Ask until all are right or the time is up; give those that are not."""
    pause = 0.02
    while left:
        _ask(left, seen, pool)
        left = [one for one in left if not _right(one, seen)]
        if not left or clock.monotonic() >= deadline or clock.wait(pause):
            break
        pause = min(pause * 1.6, 1.0)
    return left


def _ask(some: Sequence[Expected], seen: dict[tuple[str, int], PortSeen], pool: ThreadPoolExecutor) -> None:
    for one, answer in zip(some, pool.map(look, some), strict=True):
        seen[one.site, one.probe.port] = answer


def _right(one: Expected, seen: Mapping[tuple[str, int], PortSeen]) -> bool:
    return seen[one.site, one.probe.port].reason == Reason.SERVED


def look(one: Expected) -> PortSeen:
    """Make one handshake and judge it."""
    port = one.probe.port
    place = f"{one.probe.address} port {port}"
    try:
        peer = tls.handshake(one.probe.address, port, one.probe.sni, timeout=_TIMEOUT, starttls=one.probe.starttls)
    except Failed as failure:
        return PortSeen(port, None, Reason.NOTHING_LISTENS, str(failure))
    if peer.fingerprint == one.fingerprint:
        return PortSeen(port, peer.fingerprint, Reason.SERVED)
    if peer.fingerprint in one.former:
        text = f"{place} still serves an earlier certificate of this site to {one.probe.sni}"
        return PortSeen(port, peer.fingerprint, Reason.OLD_CERTIFICATE_SERVED, text)
    text = (
        f"{place} answers for {one.probe.sni} with a certificate that is not this site's: the server does not include "
        "our configuration, or a block of your own answers for the name"
    )
    return PortSeen(port, peer.fingerprint, Reason.NOT_INCLUDED, text)


def answering(probes: Sequence[Probe]) -> frozenset[tuple[str, int]]:
    """Give the (address, port) pairs that answer TLS now, one handshake each."""
    found = set()
    for (address, port), probe in {(probe.address, probe.port): probe for probe in probes}.items():
        try:
            tls.handshake(address, port, probe.sni, timeout=_TIMEOUT, starttls=probe.starttls)
        except Failed as failure:
            if failure.reason in ("NothingListens", "NoTls", "Timeout"):
                continue
        found.add((address, port))
    return frozenset(found)
