"""Proving the names of an order (RFC 8555 section 7.5): fetch, choose, present, answer, ask until it is decided."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, NamesFailed, Waiting
from reconciler.issuers.acme.choosing import HOSTS_ONLY, pick, ways_of
from reconciler.issuers.acme.origin import misbehaves
from reconciler.issuers.acme.pacing import Pacer
from reconciler.issuers.acme.problems import Refused, retry_after
from reconciler.issuers.acme.resources import Authorization, Challenge, read_authorization
from reconciler.model.observed import ChosenChallenge
from reconciler.model.ports import Asked

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import OrderRecord
    from reconciler.model.ports import Desk, Request
    from reconciler.model.stages import Way

OPEN: Final = frozenset({"pending", "processing"})
_OVER: Final = {
    "expired": "its authorization expired before it was proven; the next attempt makes a new order",
    "deactivated": "its authorization was deactivated, by the account's key; the next attempt makes a new order",
    "revoked": "the CA revoked its authorization; the next attempt makes a new order",
}


class Proof:
    """Proves the names of one order for one site."""

    def __init__(self, session: Session, signer: Signer, request: Request, desk: Desk) -> None:
        self._session, self._signer, self._request, self._desk = session, signer, request, desk

    def prove(self, record: OrderRecord, urls: Sequence[str], *, resumed: bool) -> OrderRecord:
        """Bring every authorization to `valid`, and give the record as it stands then.

        One that is valid already costs one question. `resumed`: the CA may have been told before. Raises NamesFailed
        (each with the CA's words or our own), Failed (BadToken, CaMisbehaves), Stalled(NoUsableChallenge),
        Waiting(InFlight), Refused, Transient.
        """
        named = self.found(record, urls)
        self._check_open(record, named)
        chosen = {name: self._choose(record, name, one) for name, one in named.items()}
        record = replace(record, chosen=chosen)
        waiting = {name: one for name, one in named.items() if one.status != "valid"}
        if waiting:
            self._answer(record, waiting, resumed=resumed)
            self._wait_for(record, list(waiting))
        return record

    def found(self, record: OrderRecord, urls: Sequence[str]) -> dict[str, Authorization]:
        """Fetch authorizations, by the names that we asked for: each has another, the one that it had before."""
        fetched = [self._fetch(url)[0] for url in urls]
        names = {one.authorization: name for name, one in record.chosen.items()}
        # where the CA says wildcard there is no doubt: these come first
        for one in sorted(fetched, key=lambda one: not one.hostname.startswith("*.")):
            if one.url not in names:
                names[one.url] = self._hostname(one, names.values())
        return {names[one.url]: one for one in fetched}

    def complete(self, record: OrderRecord, waiting: dict[str, Authorization], ways: Mapping[str, Way]) -> None:
        """Prove these names the way a person said: what somebody else published is answered and nothing more.

        Raises as `prove` does.
        """
        shown = {name: one for name, one in waiting.items() if ways[name].present and ways[name].method is not None}
        self._answer(record, waiting, resumed=True, shown=shown, ways=ways)
        self._wait_for(record, list(waiting))

    def failed(self, record: OrderRecord, urls: Sequence[str]) -> NamesFailed | None:
        """Give the CA's words for the authorizations that failed, None if none did."""
        found = self.found(record, urls).items()
        bad = [(name, one) for name, one in found if one.status != "valid" and one.status not in OPEN]
        return NamesFailed([_refused(name, one, record.chosen.get(name)) for name, one in bad]) if bad else None

    def _answer(
        self,
        record: OrderRecord,
        waiting: dict[str, Authorization],
        *,
        resumed: bool,
        shown: Mapping[str, Authorization] | None = None,
        ways: Mapping[str, Way] | None = None,
    ) -> None:
        """Present what is to be shown (all, unless told otherwise), and tell the CA of all."""
        self._check_open(record, waiting)
        self._desk.say(f"proving {', '.join(list(waiting)[:3])}{' and more' if len(waiting) > 3 else ''}")  # noqa: PLR2004
        # of what cannot be presented each name is told, so that the next attempt takes other ways for all of them
        pairs = [
            (name, one, self._method(record.chosen[name], ways))
            for name, one in (waiting if shown is None else shown).items()
        ]
        tried = (self._tried(record.chosen[name], one, method) for name, one, method in pairs)
        self._check([failure for failure in tried if failure is not None])
        self._desk.settle()
        self._check(self._desk.self_test())
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

    def _check_open(self, record: OrderRecord, named: Mapping[str, Authorization]) -> None:
        """Refuse what is over, whatever it still offers: nothing is presented for it. Raises NamesFailed."""
        over = {name: one for name, one in named.items() if one.status != "valid" and one.status not in OPEN}
        self._check([_refused(name, one, record.chosen.get(name)) for name, one in over.items()])

    def _check(self, failures: Sequence[Failed]) -> None:
        """Say each failure, and raise them as one."""
        for failure in failures:
            place = f" ({failure.url})" if failure.url else ""
            self._desk.say(f"{failure.method or 'the proof'} failed: {failure}{place}")
        if failures:
            raise NamesFailed(failures)

    def _method(self, chosen: ChosenChallenge, ways: Mapping[str, Way] | None) -> MethodSpec:
        told = ways[chosen.hostname].method if ways is not None else None
        return told or next(one for one in self._methods(chosen.hostname) if one.name == chosen.method)

    def _tried(self, chosen: ChosenChallenge, authorization: Authorization, method: MethodSpec) -> Failed | None:
        try:
            self._present(chosen, authorization, method)
        except Failed as failure:
            failure.hostname, failure.method = failure.hostname or chosen.hostname, failure.method or chosen.method
            return failure
        return None

    def _present(self, chosen: ChosenChallenge, authorization: Authorization, method: MethodSpec) -> None:
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
        """Ask until each is decided: one that failed does not hide what becomes of the others.

        The CA was told a moment ago: to ask at once only costs it, and us, a request.
        """
        pacer = Pacer(self._session, record.intent_at, f"the CA to check {names[0]}", self._desk.say)
        failures: list[Failed] = []
        pacer.pause(None)
        while names:
            names, wish = self._asked(record, names, failures)
            if not names:
                break
            try:
                pacer.pause(wish)
            except Waiting:
                if not failures:
                    raise
                break
        self._check(failures)

    def _asked(
        self, record: OrderRecord, names: list[str], failures: list[Failed]
    ) -> tuple[list[str], datetime | None]:
        """Ask once; give the names that are not decided, and when the CA wants to be asked again."""
        wish: datetime | None = None
        still: list[str] = []
        for name in names:
            one, later = self._fetch(record.chosen[name].authorization)
            if one.status in OPEN:
                still.append(name)
                wish = max(filter(None, (wish, later)), default=None)
            elif one.status != "valid":
                failures.append(_refused(name, one, record.chosen[name]))
        return still, wish

    def _fetch(self, url: str) -> tuple[Authorization, datetime | None]:
        answer = self._session.post(url, b"", self._signer)
        return read_authorization(answer, self._session.origin), retry_after(answer, self._session.clock.now())

    def _choose(self, record: OrderRecord, name: str, one: Authorization) -> ChosenChallenge:
        """Keep what the CA was told of before; else the first method, as they are to be tried, that the CA offers."""
        before = record.chosen.get(name)
        offered = {challenge.url: challenge for challenge in one.challenges}
        kept = one.status == "valid" or name in record.answered or record.stage == "byHand"
        if before is not None and kept and before.url in offered and self._still(before, one, offered[before.url]):
            return before
        if one.status == "valid":
            return self._reused(name, one)
        return pick(name, one, ways_of(self._methods(name)))

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

    def _hostname(self, one: Authorization, taken: Collection[str]) -> str:
        """Give the name that we asked for. Some CAs leave `wildcard` out; what asks one host is no wildcard's."""
        meant = [one.hostname, f"*.{one.hostname}"]
        if HOSTS_ONLY.isdisjoint(challenge.type for challenge in one.challenges):
            meant.reverse()
        asked = [name for mine in meant for name in self._request.hostnames if _same(mine, name)]
        if not asked:
            raise misbehaves(f"the CA wants a proof for {one.hostname}, which was not asked for", one.url)
        return next((name for name in asked if name not in taken), asked[0])


def _refused(name: str, one: Authorization, chosen: ChosenChallenge | None) -> Failed:
    failed = one.error
    words = failed[1].sentence() if failed is not None else _OVER.get(one.status, f"the authorization is {one.status}")
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
