"""What a person was asked to publish for an order: kept with it, as a CA shows nothing but the way that a name went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.observed import ChosenChallenge
from reconciler.model.stages import OfferedChallenge, by_person

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.issuers.acme.resources import Authorization
    from reconciler.model.desired import MethodSpec
    from reconciler.model.observed import OrderRecord
    from reconciler.model.ports import Request


def picked(record: OrderRecord, chosen: Iterable[ChosenChallenge]) -> tuple[ChosenChallenge, ...]:
    """Give all that was asked, with what was picked before or is now and is a person's to answer."""
    mine = (one for one in (*record.asked, *record.chosen.values(), *chosen) if one.by_person)
    return tuple({one.url: one for one in mine}.values())


def printed(request: Request, names: Mapping[str, Authorization]) -> list[ChosenChallenge]:
    """Give the challenges whose declared method only prints what a person has to publish."""
    return [
        ChosenChallenge(name, method.name, one.type, one.token or "", one.url, authorization.url, by_person=True)
        for name, authorization in names.items()
        for one in authorization.challenges
        if (method := declared(request, name, one.type)) is not None and by_person(method)
    ]


def declared(request: Request, name: str, kind: str) -> MethodSpec | None:
    """Give the declared method that would answer a type of challenge for a name."""
    return next((method for method in request.methods.get(name, ()) if method.type == kind), None)


def gone(asked: Iterable[ChosenChallenge], one: Authorization, thumbprint: str) -> tuple[OfferedChallenge, ...]:
    """Give what was asked for a name and the CA no longer shows."""
    shown = {challenge.url for challenge in one.challenges}
    return tuple(
        OfferedChallenge(
            past.type,
            one.status,
            past.url,
            past.token,
            f"{past.token}.{thumbprint}",
            past.method or None,
            by_person=True,
        )
        for past in asked
        if past.authorization == one.url and past.url not in shown
    )
