"""An order in a person's hands: made, proven and let go on, each step under the site's lease and on another day.

Nothing of it makes a certificate live: once the names are proven, the order goes on as any other, in the next pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from reconciler.errors import Failed, NamesFailed, Stalled
from reconciler.execute.sites.obtaining import issuer_named
from reconciler.model.changes import Reason
from reconciler.model.ports import Asked
from reconciler.model.stages import by_person
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.execute.sites.obtaining import Obtaining
    from reconciler.model.desired import DesiredSite, IssuerSpec
    from reconciler.model.observed import OrderRecord
    from reconciler.model.ports import StagedIssuer
    from reconciler.model.stages import Offer, OfferedChallenge, OfferedName, Record, Way

_TTL: Final = 30


@dataclass(frozen=True, slots=True)
class Stages:
    """`verb` names the command for locks; `wait` is the lock timeout in seconds."""

    obtaining: Obtaining
    verb: str
    wait: float

    def offer(self, site: DesiredSite, spec: IssuerSpec) -> Offer:
        """Make the order or take up the one there is; from now on it is a person's. Raises what issuers raise."""
        issuer = self._issuer(spec)
        issuer.register()
        store = self.obtaining.store
        with store.claim(f"site/{site.name}", self.verb, self.wait) as lease:
            store.put_meaning(lease, site)
            live = store.live([site.name])[site.name]
            desk = self.obtaining.desk(site, lease, live, spec)
            offer = issuer.offer(self.obtaining.by_hand(site, live, Reason.REQUESTED_BY_USER), desk)
        return self._with_records(site, offer)

    def prove(self, site: DesiredSite, ways: Mapping[str, Way]) -> Offer:
        """Prove names of the order; without `ways` only ask how it stands. Raises Failed(OrderGone), NamesFailed ..."""
        store = self.obtaining.store
        with store.claim(f"site/{site.name}", self.verb, self.wait) as lease:
            order = self._order(site)
            spec = issuer_named(order.issuer, site)
            live = store.live([site.name])[site.name]
            request = self.obtaining.by_hand(site, live, order.reason, order.hostnames)
            desk = self.obtaining.desk(site, lease, live, spec)
            try:
                offer = self._issuer(spec).prove(request, desk, ways)
            except Failed as failure:
                self._note(site, failure)
                raise
        return self._with_records(site, offer)

    def let_go(self, site: DesiredSite) -> None:
        """Let the order go on by itself: the next pass ends it."""
        store = self.obtaining.store
        with store.claim(f"site/{site.name}", self.verb, self.wait) as lease:
            store.put_order(lease, site.name, replace(self._order(site), stage="auto"))

    def order(self, site: DesiredSite) -> OrderRecord | None:
        """Give the order as it is on disk, None if none is."""
        order = self.obtaining.store.orders([site.name]).get(site.name)
        return order if order is not None and order.url is not None else None

    def _order(self, site: DesiredSite) -> OrderRecord:
        order = self.order(site)
        if order is None:
            raise Failed("OrderGone", f"there is no order for {site.name}")
        if all(one.name != order.issuer for one in site.issuers):
            raise Failed("OrderGone", f"the order for {site.name} is at {order.issuer}, which its Site names no more")
        if order.is_over(self.obtaining.clock.now()):
            raise Failed("OrderGone", f"the order for {site.name} expired at {order.over_at:%Y-%m-%dT%H:%M:%SZ}")
        return order

    def _issuer(self, spec: IssuerSpec) -> StagedIssuer:
        if spec.type != "acme":
            message = f"{spec.name} asks for no proof: there is nothing to do by hand"
            raise Stalled("NoUsableChallenge", message, "an Issuer of type acme is named")
        return cast("StagedIssuer", self.obtaining.issuers(spec))

    def _note(self, site: DesiredSite, failure: Failed) -> None:
        for one in failure.failures if isinstance(failure, NamesFailed) else (failure,):
            place = f" ({one.url})" if one.url else ""
            self.obtaining.store.event(site.name, one.reason, clean(f"{one}{place}"), self.obtaining.clock.now())

    def _with_records(self, site: DesiredSite, offer: Offer) -> Offer:
        return replace(offer, names=tuple(self._names(site, offer)))

    def _names(self, site: DesiredSite, offer: Offer) -> Iterator[OfferedName]:
        for name in offer.names:
            found, gone = (
                tuple(self._recorded(site, name.hostname, one, offer.account) for one in many)
                for many in (name.challenges, name.gone)
            )
            yield replace(name, challenges=found, gone=gone, to_publish=_to_publish(site, name, found))

    def _recorded(self, site: DesiredSite, hostname: str, one: OfferedChallenge, account: str) -> OfferedChallenge:
        methods = (way for way in site.methods.get(hostname, ()) if way.name == one.method)
        ttl = next((getattr(way, "ttl", _TTL) for way in methods), _TTL)
        asked = Asked(one.payload, account, one.issuers)
        return replace(one, record=self.obtaining.challenges.record(one.type, hostname, asked, ttl))


def _to_publish(site: DesiredSite, name: OfferedName, found: Sequence[OfferedChallenge]) -> Record | None:
    """Give what a person publishes before the first declared way that the CA offers can prove a name."""
    if name.status == "valid":
        return None
    offered = {one.type: one.record for one in found}
    first = next((way for way in site.methods.get(name.hostname, ()) if way.type in offered), None)
    return offered[first.type] if first is not None and by_person(first) else None
