"""What a handshake means for a site: its certificate, an earlier one, another site's, a stranger's, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Reason
from reconciler.model.observed import PortSeen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.errors import Failed
    from reconciler.model.observed import CertificateFacts
    from reconciler.model.ports import Probe

Key = tuple[str, int, str]
_SHOWN: Final = 3
_NOT_OURS: Final = "the server does not include our configuration, or a block of your own answers for the name"
_ANOTHER: Final = "other names of the site are served there, so another server block answers for this one"


@dataclass(frozen=True, slots=True)
class Expected:
    """One handshake to make: whose, where, the fingerprint that should be shown and those the site had before."""

    site: str
    probe: Probe
    fingerprint: str
    former: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """Tell it from all others: site, port, name."""
        return self.site, self.probe.port, self.probe.sni

    @property
    def place(self) -> str:
        """Say where it is made, and what is asked for."""
        return f"{self.probe.address} port {self.probe.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one handshake showed; `fingerprint` is None if there was no certificate. `message` is empty if all is well.

    `closed`: the port took no connection at all.

    Reasons: Served, OldCertificateServed, NothingListens (no TLS there), NotIncluded, NameServedElsewhere.
    """

    fingerprint: str | None
    reason: Reason
    message: str = ""
    closed: bool = False


STRANGE: Final = frozenset({Reason.NOT_INCLUDED, Reason.NAME_SERVED_ELSEWHERE})
UNSEEN: Final = Answer(None, Reason.NOT_YET_SEEN, "it was not looked at")


def known(one: Expected, fingerprint: str) -> Answer:
    """Judge a certificate of the site's own."""
    if fingerprint == one.fingerprint:
        return Answer(fingerprint, Reason.SERVED)
    text = f"{one.place} still serves an earlier certificate of this site to {one.probe.sni}"
    return Answer(fingerprint, Reason.OLD_CERTIFICATE_SERVED, text)


def stranger(one: Expected, shown: CertificateFacts, owners: Mapping[str, str]) -> Answer:
    """Judge a certificate that never was the site's."""
    owner = owners.get(shown.fingerprint)
    asked = f"{one.place} answers for {one.probe.sni or 'no name'} with"
    if owner is not None:
        text = f"{asked} the certificate of site {owner}: a server block of that site answers for the name"
        return Answer(shown.fingerprint, Reason.NAME_SERVED_ELSEWHERE, text)
    names = ", ".join(shown.hostnames[:_SHOWN]) or "no name"
    return Answer(shown.fingerprint, Reason.NOT_INCLUDED, f"{asked} a certificate that is not this site's, for {names}")


def refused(failure: Failed) -> Answer:
    """Judge a handshake that did not come to a certificate."""
    return Answer(None, Reason.NOTHING_LISTENS, str(failure), closed=failure.reason == Reason.NOTHING_LISTENS)


def judged(wanted: Sequence[Expected], seen: Mapping[Key, Answer]) -> Mapping[Key, Answer]:
    """Judge the answers together: where a port serves a site by one name, our files are included.

    Then another name of the site that shows a stranger's certificate is served elsewhere.
    """
    good = {(one.site, one.probe.port) for one in wanted if seen.get(one.key, UNSEEN).reason is Reason.SERVED}
    return {one.key: _together(seen.get(one.key, UNSEEN), (one.site, one.probe.port) in good) for one in wanted}


def _together(answer: Answer, others_are_right: bool) -> Answer:  # noqa: FBT001
    if answer.reason is not Reason.NOT_INCLUDED:
        return answer
    if not others_are_right:
        return replace(answer, message=f"{answer.message}: {_NOT_OURS}")
    return Answer(answer.fingerprint, Reason.NAME_SERVED_ELSEWHERE, f"{answer.message}: {_ANOTHER}")


def ports_seen(seen: Mapping[Key, Answer]) -> Mapping[str, tuple[PortSeen, ...]]:
    """Sum up what each port showed of each site, to be kept: the first name that is not right, and all that are."""
    sites: dict[str, dict[int, dict[str, Answer]]] = {}
    for (site, port, name), answer in seen.items():
        sites.setdefault(site, {}).setdefault(port, {})[name] = answer
    return {site: tuple(_port(port, ports[port]) for port in sorted(ports)) for site, ports in sites.items()}


def _port(port: int, answers: Mapping[str, Answer]) -> PortSeen:
    right = tuple(name for name, answer in answers.items() if answer.reason is Reason.SERVED)
    wrong = [answer for answer in answers.values() if answer.reason is not Reason.SERVED]
    if not wrong:
        return PortSeen(port, next(iter(answers.values())).fingerprint, Reason.SERVED, names=right)
    first, more = wrong[0], len(wrong) - 1
    rest = f" (and {more} more of its names are not right)" if more else ""
    return PortSeen(port, first.fingerprint, first.reason, first.message + rest, right)


def proven(ports: Iterable[PortSeen]) -> frozenset[tuple[int, str]]:
    """Give each port and name of a former look at which the site's certificate was seen."""
    return frozenset((port.port, name) for port in ports for name in port.names)
