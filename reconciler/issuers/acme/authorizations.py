"""Proving the names of an order (RFC 8555 section 7.5): fetch, choose, present, answer, ask until it is decided."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, Stalled, Waiting
from reconciler.issuers.acme.origin import misbehaves
from reconciler.issuers.acme.pacing import Pacer
from reconciler.issuers.acme.problems import Refused, retry_after
from reconciler.issuers.acme.resources import Authorization, Challenge, read_authorization
from reconciler.model.observed import ChosenChallenge
from reconciler.model.ports import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import OrderRecord
    from reconciler.model.ports import Desk, Request

_OPEN: Final = frozenset({"pending", "processing"})


class Proof:
    """Proves the names of one order for one site."""

    def __init__(self, session: Session, signer: Signer, request: Request, desk: Desk) -> None:
        self._session, self._signer, self._request, self._desk = session, signer, request, desk

    def prove(self, record: OrderRecord, urls: Sequence[str]) -> OrderRecord:
        """Bring every authorization to `valid`, and give the record as it stands then.

        One that is valid already costs one question. Raises Failed (ChallengeFailed with the CA's words, BadToken,
        CaMisbehaves), Stalled(NoUsableChallenge), Waiting(InFlight), Refused, Transient.
        """
        found = [self._fetch(url)[0] for url in urls]
        named = {self._hostname(one): one for one in found}
        chosen = {name: self._choose(record, name, one) for name, one in named.items()}
        resumed = bool(record.chosen)
        if dict(record.chosen) != chosen:
            record = replace(record, chosen=chosen)
            self._desk.save(record)
        waiting = {name: one for name, one in named.items() if one.status != "valid"}
        if waiting:
            self._answer(record, waiting, resumed=resumed)
            self._wait_for(record, list(waiting))
        return record

    def failed(self, record: OrderRecord, urls: Sequence[str]) -> Failed | None:
        """Give the CA's words for the first authorization that failed, None if none did."""
        for url in urls:
            one = self._fetch(url)[0]
            if one.status != "valid" and one.status not in _OPEN:
                name = self._hostname(one)
                return _refused(name, one, record.chosen.get(name))
        return None

    def _answer(self, record: OrderRecord, waiting: dict[str, Authorization], *, resumed: bool) -> None:
        for name, one in waiting.items():
            if one.status not in _OPEN:
                raise _refused(name, one, record.chosen[name])
        self._desk.say(f"proving {', '.join(list(waiting)[:3])}{' and more' if len(waiting) > 3 else ''}")  # noqa: PLR2004
        for name, one in waiting.items():
            self._present(record.chosen[name], one)
        self._desk.settle(record.intent_at)
        for name in waiting:
            if name not in record.answered:
                self._tell(record.chosen[name], resumed=resumed)

    def _wait_for(self, record: OrderRecord, names: list[str]) -> None:
        """Wait, and note what was answered only if we leave in order and the answers stay in place.

        After a crash nobody knows whether the CA met our answers or a closed port: then it is told again, and an order
        that died meanwhile is no failure of the names.
        """
        try:
            self._wait(record, names)
        except Waiting:
            if not self._session.clock.stopping():
                self._desk.save(replace(record, answered=tuple(record.chosen)))
            raise

    def _present(self, chosen: ChosenChallenge, authorization: Authorization) -> None:
        method = next(one for one in self._methods(chosen.hostname) if one.name == chosen.method)
        issuers = next((one.issuers for one in authorization.challenges if one.url == chosen.url), ())
        asked = Asked(f"{chosen.token}.{self._signer.thumbprint}", self._signer.kid or "", issuers)
        self._desk.present(method, chosen.hostname, chosen.token, asked)

    def _tell(self, chosen: ChosenChallenge, *, resumed: bool) -> None:
        """Say that the proof is there. A CA that was told so before a crash may object: its state is asked next."""
        try:
            self._session.post(chosen.url, b"{}", self._signer)
        except Refused as refused:
            if not (resumed and refused.problem.code == "malformed"):
                raise

    def _wait(self, record: OrderRecord, names: list[str]) -> None:
        pacer = Pacer(self._session, record.intent_at, f"the CA to check {names[0]}")
        while names:
            wish: datetime | None = None
            still: list[str] = []
            for name in names:
                one, later = self._fetch(record.chosen[name].authorization)
                if one.status == "valid":
                    continue
                if one.status not in _OPEN:
                    raise _refused(name, one, record.chosen[name])
                still.append(name)
                wish = max(filter(None, (wish, later)), default=None)
            names = still
            if names:
                pacer.pause(wish)

    def _fetch(self, url: str) -> tuple[Authorization, datetime | None]:
        answer = self._session.post(url, b"", self._signer)
        return read_authorization(answer, self._session.origin), retry_after(answer, self._session.clock.now())

    def _choose(self, record: OrderRecord, name: str, one: Authorization) -> ChosenChallenge:
        """Keep what was chosen before; else the first declared method that the CA offers."""
        before = record.chosen.get(name)
        offered = {challenge.url: challenge for challenge in one.challenges}
        if before is not None and before.url in offered and self._still(before, one, offered[before.url]):
            return before
        if one.status == "valid":
            return self._reused(name, one)
        for method in self._methods(name):
            for challenge in one.challenges:
                if challenge.type == method.type and challenge.can_be_answered:
                    token = challenge.token or ""
                    return ChosenChallenge(name, method.name, method.type, token, challenge.url, one.url)
        raise unusable(name, self._methods(name), [challenge.type for challenge in one.challenges])

    def _still(self, before: ChosenChallenge, one: Authorization, challenge: Challenge) -> bool:
        if one.status == "valid":
            return True
        declared = {(method.name, method.type) for method in self._methods(before.hostname)}
        same = (before.type, before.token) == (challenge.type, challenge.token or "")
        return same and (before.method, before.type) in declared

    def _reused(self, name: str, one: Authorization) -> ChosenChallenge:
        """Note how a name was proven that was valid before this order began."""
        how = next((challenge for challenge in one.challenges if challenge.status == "valid"), None)
        kind = how.type if how is not None else ""
        method = next((method.name for method in self._methods(name) if method.type == kind), "")
        return ChosenChallenge(name, method, kind, "", how.url if how is not None else "", one.url)

    def _methods(self, name: str) -> Sequence[MethodSpec]:
        return self._request.methods.get(name, ())

    def _hostname(self, one: Authorization) -> str:
        """Give the name that we asked for. Some CAs leave `wildcard` out."""
        for name in (one.hostname, f"*.{one.hostname}"):
            for asked in self._request.hostnames:
                if _same(name, asked):
                    return asked
        raise misbehaves(f"the CA wants a proof for {one.hostname}, which was not asked for", one.url)


def unusable(name: str, methods: Sequence[MethodSpec], offered: Sequence[str]) -> Stalled:
    """Say that no declared method can prove a name."""
    declared = ", ".join(f"{method.name} ({method.type})" for method in methods) or "none"
    message = f"{name}: the CA offers {', '.join(offered) or 'nothing'}; declared: {declared}"
    return Stalled("NoUsableChallenge", message, f"a ChallengeMethod of an offered type is declared for {name}")


def _refused(name: str, one: Authorization, chosen: ChosenChallenge | None) -> Failed:
    failed = one.error
    words = failed[1].sentence() if failed is not None else f"the authorization is {one.status}"
    kind = (failed[1].type or None) if failed is not None else None
    method = chosen.method if chosen is not None else None
    return Failed(
        "ChallengeFailed", f"{name}: {words}", blame="ca", hostname=name, method=method, type=kind, url=one.url
    )


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False
