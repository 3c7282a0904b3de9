"""The order (RFC 8555 section 7.1.6) as a state machine that can be left anywhere and taken up again.

Each arrow is on the desk before the next request goes out::

    intent, key -> newOrder -> URL -> (chosen, presented, answered) -> (finalized) -> certificate

What the CA says of the order decides where to go on; the record tells which order it is, and what was chosen only where
it could not be chosen again: by a person, or when answers stay in place until later. So a crash between any two steps
costs questions, never a second order, save between sending newOrder and keeping its URL.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reconciler.doors import x509
from reconciler.errors import Failed, NamesFailed, Stalled, Waiting
from reconciler.issuers.acme.authorizations import Proof
from reconciler.issuers.acme.choosing import HOSTS_ONLY, unusable, ways_of
from reconciler.issuers.acme.download import Download
from reconciler.issuers.acme.origin import misbehaves
from reconciler.issuers.acme.pacing import Pacer
from reconciler.issuers.acme.problems import Refused, named, of_names, retry_after
from reconciler.issuers.acme.resources import Order, read_order
from reconciler.model.names import Hostname
from reconciler.model.observed import OrderRecord, Proven
from reconciler.model.ports import Issued

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.doors.x509 import Chain
    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.model.desired import AcmeIssuer as Spec
    from reconciler.model.observed import CertificateFacts
    from reconciler.model.ports import Desk, Request

T = TypeVar("T")
_UNPROVEN: Final = frozenset({"pending", "ready"})
# how long a CA may take to see what it said itself
_UNPROVEN_MOST: Final = timedelta(minutes=5)
# what is wrong with a certificate itself; any other failure says nothing of it, and it is fetched again
_UNUSABLE: Final = frozenset(
    {"UnreadableCertificate", "KeyMismatch", "WrongNames", "NotYetValid", "Expired", "BadChain"}
)


class Run:
    """One attempt to bring one site's order to its certificate."""

    def __init__(self, session: Session, signer: Signer, spec: Spec, request: Request, desk: Desk) -> None:
        self._session, self._signer, self._spec, self._request, self._desk = session, signer, spec, request, desk
        self._proof = Proof(session, signer, request, desk)

    def issue(self) -> Issued:
        """Go from wherever the order stands to a certificate that was checked.

        The order stays on the desk: whoever stored the certificate forgets it. Raises what `issuer` translates.
        """
        found = self._found()
        record, order = found or self._placed()
        return self.guarded(lambda: self._go_on(record, order, resumed=found is not None))

    def taken_up(self, *, may_place: bool = False) -> tuple[OrderRecord, Order] | None:
        """Give the order that was left, or with `may_place` a new one; None if there is none."""
        found = self._found()
        return self._placed() if found is None and may_place else found

    def guarded(self, work: Callable[[], T]) -> T:
        """Do a part of the order; forget the order where a failure ends it."""
        try:
            return work()
        except Refused as refused:
            # a refusal while asking is final (section 7.5.1 does not know "perhaps later" for 4xx)
            if refused.problem.of_the_order:
                self._desk.forget(keep_key=True)
            raise
        except Failed as failure:
            reasons = {one.reason for one in (failure.failures if isinstance(failure, NamesFailed) else (failure,))}
            if reasons & {"ChallengeFailed", "BadToken"}:
                self._desk.forget(keep_key=True)
            raise
        except Stalled:
            self._desk.forget(keep_key=True)
            raise

    def _go_on(self, record: OrderRecord, order: Order, *, resumed: bool) -> Issued:
        if order.status == "pending" or (order.status != "invalid" and not record.chosen):
            record = self._proof.prove(record, order.authorizations, resumed=resumed)
        if order.status in _UNPROVEN:
            order = self._finalized(record, order)
        return self._collected(record, self._valid(record, order))

    def _found(self) -> tuple[OrderRecord, Order] | None:
        """Take up the order that was left, if it is still for the same thing and the CA still knows it."""
        record = self._desk.order()
        if record is None:
            return None
        fits = self._fits(record)
        if record.url is None and fits:
            return None
        if record.url is None or not fits:
            self._desk.forget(keep_key=True)
            return None
        try:
            order = self._asked(record.url)[0]
        except Refused as refused:
            if not refused.problem.of_the_order:
                raise
            self._desk.forget(keep_key=True)
            return None
        if order.status == "invalid" and not record.answered:
            self._desk.forget(keep_key=True)
            return None
        self._desk.say("going on with the order")
        return record, order

    def _fits(self, record: OrderRecord) -> bool:
        # what a person has done for an order is not lost for a profile that is declared meanwhile
        profile = record.profile if record.stage == "byHand" or record.proven else self._profile
        mine = (self._spec.directory, self._signer.kid, sorted(self._request.hostnames), profile)
        theirs = (record.directory, record.account, sorted(record.hostnames), record.profile)
        return mine == theirs and not record.is_over(self._session.clock.now())

    def _placed(self) -> tuple[OrderRecord, Order]:
        """Ask for a new order: the intent and the key are on the desk before, the URL right after."""
        profile = self._profile
        self._check_methods()
        directory = self._session.directory()
        self._session.check_clock()
        self._session.check_stop()
        record = self._intent(profile)
        self._desk.save(record)
        self._desk.key()
        wish: dict[str, Any] = {"identifiers": [_identifier(name) for name in self._request.hostnames]}
        if profile is not None:
            wish["profile"] = profile
        try:
            answer = self._session.post_once(directory.new_order, json.dumps(wish).encode(), self._signer)
        except Refused as refused:
            self._desk.forget(keep_key=True)
            names = of_names(refused.problem, self._request.hostnames)
            if names:
                raise NamesFailed([named(refused.problem, name, "CaRefused") for name in names]) from None
            raise
        place = answer.header("location")
        if place is None:
            raise misbehaves("newOrder answered without a Location", directory.new_order)
        self._session.origin.target(place)
        record = replace(record, url=place)
        try:
            order = read_order(answer, self._session.origin)
        except Failed:
            self._desk.save(record)
            raise
        record = replace(record, finalize=order.finalize, expires=order.expires)
        self._desk.save(record)
        count = len(self._request.hostnames)
        self._desk.say(f"ordered {count} name{'' if count == 1 else 's'}")
        return record, order

    def _intent(self, profile: str | None) -> OrderRecord:
        return OrderRecord(
            issuer=self._spec.name,
            directory=self._spec.directory,
            account=self._signer.kid or "",
            hostnames=self._request.hostnames,
            reason=self._request.reason,
            spec_digest=self._request.spec_digest,
            intent_at=self._session.clock.now(),
            profile=profile,
            stage="byHand" if self._request.by_hand else "auto",
        )

    @cached_property
    def _profile(self) -> str | None:
        """Give the profile to ask for; None where the CA does not offer it and it is not required."""
        wanted = self._request.profile or self._spec.profile
        if wanted is None:
            return None
        offered = self._session.directory().profiles
        if wanted in offered:
            return wanted
        if self._spec.profile_required:
            message = f"the CA offers no profile {wanted}; it offers {', '.join(sorted(offered)) or 'none'}"
            raise Stalled("ProfileMissing", message, "the CA offers the profile, or another one is declared")
        self._desk.say(f"the CA offers no profile {wanted}; going on without")
        return None

    def _check_methods(self) -> None:
        """Refuse before an order is spent what no CA may accept: a wildcard by a way that asks one host."""
        for name in self._request.hostnames:
            methods = self._request.methods.get(name, ())
            if not methods or (name.startswith("*.") and all(method.type in HOSTS_ONLY for method in methods)):
                raise unusable(name, ways_of(methods), ["dns-01"] if name.startswith("*.") else ["http-01"])

    def _finalized(self, record: OrderRecord, order: Order) -> Order:
        csr = x509.make_csr(self._desk.key(), self._request.hostnames)
        payload = json.dumps({"csr": urlsafe_b64encode(csr).decode().rstrip("=")}).encode()
        what = "the CA to see that all names are proven"
        pacer = Pacer(self._session, record.intent_at, what, self._desk.say)
        while order.status in _UNPROVEN:
            try:
                answer = self._session.post(order.finalize, payload, self._signer)
            except Refused as refused:
                if refused.problem.code != "orderNotReady":
                    raise
                self._patiently(pacer, refused.problem.retry_after, record)
                order = self._asked(record.url or "")[0]
                continue
            order = read_order(answer, self._session.origin)
            if order.status in _UNPROVEN or (order.status == "processing" and answer.header("retry-after")):
                self._patiently(pacer, retry_after(answer, self._session.clock.now()), record)
        return order

    def _patiently(self, pacer: Pacer, wish: datetime | None, record: OrderRecord) -> None:
        """Pause; give an order up that does not go on although nothing is left to be done for it.

        Only one that is in nobody's hands: what a person has done for his is not thrown away.
        """
        try:
            pacer.pause(wish)
        except Waiting:
            clock = self._session.clock
            waited = clock.now() - record.intent_at
            if clock.stopping() or record.stage == "byHand" or waited < _UNPROVEN_MOST:
                raise
            self._desk.forget(keep_key=True)
            text = "the CA says that every name is proven, and that the order is not ready"
            minutes = waited // timedelta(minutes=1)
            text += f", for {minutes} minutes; the next attempt makes a new order"
            raise misbehaves(text, record.url) from None

    def _valid(self, record: OrderRecord, order: Order) -> Order:
        pacer = Pacer(self._session, record.intent_at, "the CA to sign", self._desk.say)
        wish: datetime | None = None
        while order.status != "valid":
            if order.status == "invalid":
                raise self._given_up(record, order)
            order, wish = self._asked(record.url or "")
            if order.status not in {"valid", "invalid"}:
                pacer.pause(wish)
        return order

    def _given_up(self, record: OrderRecord, order: Order) -> Failed:
        """Say why the CA gave the order up, and forget it: the next attempt is a new order."""
        failure = self._proof.failed(record, order.authorizations) if order.error is None else None
        self._desk.forget(keep_key=True)
        if failure is not None:
            return failure
        words = order.error.sentence() if order.error is not None else "the CA gave the order up without a word"
        kind = order.error.type or None if order.error is not None else None
        names = of_names(order.error, self._request.hostnames) if order.error is not None else ()
        if order.error is not None and names:
            return NamesFailed([named(order.error, name, "OrderInvalid", url=record.url) for name in names])
        return Failed("OrderInvalid", words, blame="ca", type=kind, url=record.url)

    def _collected(self, record: OrderRecord, order: Order) -> Issued:
        if order.certificate is None:
            raise misbehaves("the CA sent a valid order without a certificate", record.url)
        preferred = self._request.preferred_chain or self._spec.preferred_chain
        try:
            download = Download(self._session, self._signer, self._checked, self._desk.say)
            chain, facts = download.fetch(order.certificate, preferred)
        except Failed as failure:
            if failure.reason in _UNUSABLE:
                # nothing can be made of this certificate; a key that it is not for is dropped with the order
                self._desk.forget(keep_key=failure.reason != "KeyMismatch")
            raise
        return Issued(
            certificate=chain.certificate_pem,
            chain=b"".join(chain.chain_pem),
            facts=facts,
            directory=self._spec.directory,
            account=self._signer.kid,
            profile=record.profile,
            challenges={name: Proven(one.method, one.type) for name, one in record.chosen.items()},
        )

    def _checked(self, chain: Chain) -> CertificateFacts:
        now = self._session.clock.now()
        return x509.check_issued(chain.fullchain_pem, self._desk.key(), self._request.hostnames, now)

    def _asked(self, url: str) -> tuple[Order, datetime | None]:
        answer = self._session.post(url, b"", self._signer)
        return read_order(answer, self._session.origin), retry_after(answer, self._session.clock.now())


def _identifier(name: str) -> dict[str, str]:
    """Give the identifier of a name (RFC 8555 section 7.1.4; RFC 8738 for addresses)."""
    return {"type": "ip" if Hostname(name).is_address else "dns", "value": name}
