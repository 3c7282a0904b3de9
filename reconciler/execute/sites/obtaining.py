"""An issuer's work for one site: what it is asked for, and the desk that it works at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from reconciler.execute.sites.desk import Making, OfflineDesk, SiteDesk
from reconciler.execute.sites.routes import Routes
from reconciler.model.observed import Revision
from reconciler.model.ports import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.execute.rules import Makers, Rules
    from reconciler.model.changes import Change
    from reconciler.model.desired import AcmeIssuer, DesiredSite, IssuerSpec
    from reconciler.model.observed import Live
    from reconciler.model.ports import Challenges, Clock, Issued, Issuer, Lease, StagedIssuer, Store
    from reconciler.model.text import Secret


def issuer_named(name: str | None, site: DesiredSite) -> IssuerSpec:
    """Give the issuer of this name, else the site's first."""
    return next((issuer for issuer in site.issuers if issuer.name == name), site.issuers[0])


@dataclass(frozen=True, slots=True)
class Obtaining:
    """Asks issuers, under the site's lease."""

    store: Store
    issuers: Callable[[IssuerSpec], Issuer]
    challenges: Challenges
    clock: Clock
    rules: Rules
    makers: Makers
    say: Callable[[str, str], None]

    def obtain(self, change: Change, site: DesiredSite, lease: Lease, live: Live) -> tuple[Secret, Issued, str]:
        """Bring the order to its certificate, for the key that comes with it; the text is for a person, or "".

        Raises what `model.ports.Issuer` does.
        """
        spec = issuer_named(change.issuer, site)
        order = self.store.orders([site.name]).get(site.name)
        goes_on = order is not None and order.url is not None and self._fits(site, lease, live)
        desk = self.desk(site, lease, live, spec)
        request = self.request(site, live, change.reason, change.hostnames)
        if spec.type == "acme" and not goes_on:
            request = self._passable(site, spec, request)
        issued = self.issuers(spec).obtain(request, desk)
        return issued.key or desk.key(), issued, desk.told

    def request(self, site: DesiredSite, live: Live, reason: str, hostnames: Collection[str] = ()) -> Request:
        """Ask for these hostnames (all, if none is given), each by the ways that are to be tried now."""
        memory = self.store.memory([site.name])[site.name]
        return Request(
            site=site.name,
            hostnames=tuple(hostnames) or site.names,
            key_type=site.key.algorithm,
            methods=self.rules.ways(site, live, memory),
            reason=reason,
            spec_digest=site.digest,
            profile=site.profile,
            preferred_chain=site.preferred_chain,
            brought=site.brought,
        )

    def _passable(self, site: DesiredSite, spec: AcmeIssuer, request: Request) -> Request:
        """Leave out ways that cannot work, before a new order goes out. Raises NamesFailed: Unroutable, CaaForbids."""

        def url() -> str | None:
            account = self.store.accounts().get((spec.directory, spec.account))
            return None if account is None else account.url

        def told() -> tuple[str, ...]:
            return cast("StagedIssuer", self.issuers(spec)).identities()

        routes = Routes(site, spec, url, told)
        ways = routes.passable(request.hostnames, request.methods, lambda text: self.say(site.name, text))
        return replace(request, methods=ways)

    def by_hand(self, site: DesiredSite, live: Live, reason: str, hostnames: Collection[str] = ()) -> Request:
        """Ask the same for an order that a person takes through its stages."""
        return replace(self.request(site, live, reason, hostnames), by_hand=True)

    def desk(self, site: DesiredSite, lease: Lease, live: Live, spec: IssuerSpec) -> SiteDesk:
        """Give the desk of a site."""
        making = Making(lambda: self._key(site, live), lambda key: self.makers.key_type(key) == site.key.algorithm)
        public = spec.trust.value == "public"
        kind = SiteDesk if spec.type == "acme" else OfflineDesk
        return kind(
            self.store,
            lease,
            site.name,
            self.challenges,
            making,
            self.clock,
            lambda text: self.say(site.name, text),
            public=public,
            resolvers=site.machine.resolvers,
        )

    def _key(self, site: DesiredSite, live: Live) -> Secret:
        """Give the key for a new order: the live one where the site reuses it and nothing speaks against it."""
        usable = isinstance(live, Revision) and not live.meta.placeholder and live.facts.key_type == site.key.algorithm
        if site.key.rotation == "reuse" and usable and isinstance(live, Revision):
            return self.store.bundle(site.name, live.id).key
        return self.makers.key(site.key.algorithm)

    def _fits(self, site: DesiredSite, lease: Lease, live: Live) -> bool:
        """Tell whether the order goes on; one that may be signed for a key of another type is forgotten."""
        made: list[Secret] = []

        def make() -> Secret:
            made.append(self._key(site, live))
            return made[0]

        self.store.pending_key(lease, site.name, make, lambda key: self.makers.key_type(key) == site.key.algorithm)
        if made:
            self.store.drop_order(lease, site.name, keep_key=True)
        return not made
