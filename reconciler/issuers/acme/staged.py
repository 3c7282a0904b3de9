"""The stages of an order one by one (RFC 8555 section 7.4): make it and show what is offered; prove names.

What the CA says of the order decides; the record on the desk tells which order it is. So each stage may run on another
day in another process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.errors import Failed
from reconciler.issuers.acme.asked import declared, gone, picked, printed
from reconciler.issuers.acme.authorizations import OPEN, Proof
from reconciler.issuers.acme.choosing import pick
from reconciler.issuers.acme.order import Run
from reconciler.model.observed import ChosenChallenge
from reconciler.model.stages import Offer, OfferedChallenge, OfferedName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.issuers.acme.resources import Authorization, Challenge, Order
    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.model.desired import AcmeIssuer as Spec
    from reconciler.model.observed import OrderRecord
    from reconciler.model.ports import Desk, Request
    from reconciler.model.stages import Way


class Staged:
    """One site's order in a person's hands."""

    def __init__(self, session: Session, signer: Signer, spec: Spec, request: Request, desk: Desk) -> None:
        self._request, self._desk, self._signer = request, desk, signer
        self._run = Run(session, signer, spec, request, desk)
        self._proof = Proof(session, signer, request, desk)

    def offer(self) -> Offer:
        """Make the order or take up the one there is, mark it as a person's, and give all that the CA offers.

        Raises Failed, Stalled, Refused, Transient, Waiting as `order` does.
        """
        record, order = self._taken_up()
        return self._offered(record, order)

    def prove(self, ways: Mapping[str, Way]) -> Offer:
        """Prove these names, and give what then stands. What was presented stays until `desk.clean_up`.

        Raises NamesFailed with the CA's words: the order is over then, and forgotten; Failed(OrderGone) without one.
        """
        record, order = self._run.taken_up() or self._gone()
        named = self._proof.found(record, order.authorizations)
        waiting = {name: one for name, one in named.items() if name in ways and one.status != "valid"}
        chosen = {name: _chosen(name, one, ways[name]) for name, one in waiting.items()}
        asked = picked(record, chosen.values())
        record = replace(record, stage="byHand", chosen={**record.chosen, **chosen}, asked=asked)
        self._desk.save(record)
        if waiting:
            self._run.guarded(lambda: self._proof.complete(record, waiting, ways))
        again = self._run.taken_up()
        record, order = again if again is not None else (record, order)
        return self._offered(record, order)

    def _taken_up(self) -> tuple[OrderRecord, Order]:
        record, order = self._run.taken_up(may_place=True) or self._gone()
        if record.stage != "byHand":
            record = replace(record, stage="byHand")
            self._desk.save(record)
        return record, order

    @staticmethod
    def _gone() -> tuple[OrderRecord, Order]:
        message = "there is no order to go on with, or it has expired"
        raise Failed("OrderGone", message)

    def _offered(self, record: OrderRecord, order: Order) -> Offer:
        """Give all that the CA offers, and keep how far it is: what tells of the site asks no CA."""
        named = self._proof.found(record, order.authorizations)
        names = {name: named[name] for name in self._request.hostnames if name in named}
        proven = tuple(name for name, one in names.items() if one.status == "valid")
        ends = [order.expires or record.expires, *(one.expires for one in names.values())]
        asked = picked(record, printed(self._request, names))
        record = replace(record, proven=proven, ends=min(filter(None, ends), default=None), asked=asked)
        self._desk.save(record)
        return Offer(
            order=record.url or "",
            status=order.status,
            expires=order.expires or record.expires,
            account=self._signer.kid or "",
            names=tuple(self._name(name, one, order, asked) for name, one in names.items()),
        )

    def _name(self, hostname: str, one: Authorization, order: Order, asked: Sequence[ChosenChallenge]) -> OfferedName:
        problem = one.error[1].sentence() if one.error is not None else ""
        challenges = tuple(self._challenge(hostname, challenge, asked) for challenge in one.challenges)
        past = gone(asked, one, self._signer.thumbprint)
        return OfferedName(hostname, one.status, one.expires or order.expires, challenges, problem, past)

    def _challenge(self, hostname: str, one: Challenge, asked: Sequence[ChosenChallenge]) -> OfferedChallenge:
        method = declared(self._request, hostname, one.type)
        payload = f"{one.token}.{self._signer.thumbprint}" if one.token is not None else ""
        return OfferedChallenge(
            one.type,
            one.status,
            one.url,
            one.token or "",
            payload,
            method.name if method is not None else None,
            issuers=one.issuers,
            by_person=any(past.url == one.url for past in asked),
        )


def _chosen(name: str, one: Authorization, way: Way) -> ChosenChallenge:
    """Pick the offered challenge of the way's type. Raises Stalled(NoUsableChallenge)."""
    if one.status not in OPEN:
        return ChosenChallenge(name, way.method.name if way.method else "", way.type, "", "", one.url)
    return replace(pick(name, one, [way]), by_person=way.by_person)
