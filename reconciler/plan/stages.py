"""An order that a person takes through its stages by hand: what waits for them, and what goes on by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.model.changes import Hold, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.observed import OrderRecord
    from reconciler.plan.case import Case


def is_open(order: OrderRecord, now: datetime) -> bool:
    """Tell whether the CA still knows an order, as far as it told when it ends."""
    return order.url is not None and (order.expires is None or order.expires > now)


def stage_hold(case: Case, order: OrderRecord | None) -> Hold | None:
    """Hold a site whose order is a person's: it waits, or it has expired and the certificate in use lasts."""
    if order is None or order.stage != "byHand" or order.url is None:
        return None
    name = case.desired.name
    if is_open(order, case.now):
        message = f"the order of {order.intent_at:%Y-%m-%dT%H:%M:%SZ} waits for its names to be proven"
        if sorted(order.hostnames) != sorted(case.desired.names):
            message += f"; it is for other names than declared: `certwright challenges {name}` makes a new one"
        ends = f"`certwright solve {name}` has proven them and `certwright request {name}` is called"
        return Hold(Reason.WAITING_FOR_SOLVE, message, site=name, until=order.expires, ends_when=ends)
    if in_last_third(case):
        return None
    message = f"the order of {order.intent_at:%Y-%m-%dT%H:%M:%SZ} has expired before it was ended"
    ends = f"`certwright challenges {name}` makes a new one, or the last third of the certificate's lifetime begins"
    return Hold(Reason.STAGE_EXPIRED, message, site=name, ends_when=ends, failed=True)


def stops(case: Case, order: OrderRecord | None) -> bool:
    """Tell whether the order is to be made and left to a person: not if they ended it, or let the last one expire."""
    if case.desired.stop_at is None:
        return False
    if order is None or order.url is None:
        return True
    return not is_open(order, case.now) and order.stage == "auto"


def in_last_third(case: Case) -> bool:
    """Tell whether the certificate in use has a third of its lifetime left, or less."""
    revision = case.revision
    if revision is None:
        return False
    left = revision.facts.not_after - case.now
    return left <= timedelta(0) or left * 3 <= revision.facts.not_after - revision.facts.not_before
