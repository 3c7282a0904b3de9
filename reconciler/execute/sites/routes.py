"""Which ways can work at all, looked at before an order goes out: a CA counts each failed proof against the account.

A name that does not resolve, or (where that is enforced) does not lead here or is forbidden by CAA, is tried by its
other ways; one that has none is held (`Unroutable`, `CaaForbids`) and looked at again on a slow schedule of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, NamesFailed
from reconciler.execute.probes.caa import Issuing, forbidden, identities_of, policy_of
from reconciler.execute.probes.names import Names
from reconciler.execute.probes.routing import BY_ADDRESS, own_addresses, route_of, shown
from reconciler.model.changes import Reason
from reconciler.model.names import Switch, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.model.desired import AcmeIssuer, DesiredSite, MethodSpec
    from reconciler.model.names import Hostname

_AT_ONCE: Final = 16

Ways = tuple["MethodSpec", ...]


@dataclass
class Routes:
    """Looks at the names of one site, for one issuer.

    `url` gives our account's URL there, `told` the names by which CAA knows the CA; both are asked on the first use
    alone, and `told` may raise CertwrightError.
    """

    site: DesiredSite
    issuer: AcmeIssuer
    url: Callable[[], str | None]
    told: Callable[[], Sequence[str]]
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        """Ask the resolvers that the Server declares."""
        self.names = Names(self.site.machine.resolvers)

    @cached_property
    def own(self) -> frozenset[str]:
        """Give the addresses of this machine; the same for all names."""
        return own_addresses(self.site.machine)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Give the CA's names: what it says now, else what is known."""
        return identities_of(self.issuer.directory, self.told())

    @cached_property
    def account(self) -> str | None:
        """Give our account's URL, None without one."""
        return self.url()

    def passable(
        self, hostnames: Sequence[str], ways: Mapping[str, Ways], say: Callable[[str], None]
    ) -> Mapping[str, Ways]:
        """Give the ways of these hostnames that can work. Raises NamesFailed where a name has none left."""
        chosen = [one for one in self.site.hostnames if one.text in hostnames and self._is_looked_at(ways[one.text])]
        if not chosen:
            return ways
        if len(chosen) > 1:
            _ = self.own, self._enforces(chosen, ways) and (self.account, self.identities)  # once, not in each thread
            with ThreadPoolExecutor(min(_AT_ONCE, len(chosen)), "names") as pool:
                judged = list(pool.map(lambda one: self._judged(one, ways[one.text]), chosen))
        else:
            judged = [self._judged(chosen[0], ways[chosen[0].text])]
        # no way helps: the failure is the name's, not a method's
        worst = (failed[0] for left, failed in judged if not left)
        failures = [Failed(one.reason, str(one), hostname=one.hostname) for one in worst]
        if failures:
            raise NamesFailed(failures)
        for _left, failed in judged:
            for failure in failed:
                say(f"not by {failure.method}: {failure}")
        return {**ways, **{one.text: left for one, (left, _) in zip(chosen, judged, strict=True)}}

    @staticmethod
    def _enforces(chosen: Sequence[Hostname], ways: Mapping[str, Ways]) -> bool:
        return any(way.preflight.caa is Switch.ENFORCE for one in chosen for way in ways[one.text])

    def _is_looked_at(self, ways: Ways) -> bool:
        return any(self._routes(way) or way.preflight.caa is Switch.ENFORCE for way in ways)

    def _routes(self, way: MethodSpec) -> bool:
        """Tell whether where the name leads matters to this way."""
        public = self.issuer.trust is Trust.PUBLIC
        mode = way.preflight.points_here
        return way.type in BY_ADDRESS and (mode is Switch.ENFORCE or (mode is Switch.WARN and public))

    def _judged(self, hostname: Hostname, ways: Ways) -> tuple[Ways, list[Failed]]:
        failed = {way.name: why for way in ways if (why := self._refused(hostname, way)) is not None}
        return tuple(way for way in ways if way.name not in failed), list(failed.values())

    def _refused(self, hostname: Hostname, way: MethodSpec) -> Failed | None:
        why = self._astray(hostname, way) if self._routes(way) else None
        if why is not None:
            return Failed(Reason.UNROUTABLE, f"{hostname} {why}", hostname=hostname.text, method=way.name)
        why = self._forbidden(hostname, way) if way.preflight.caa is Switch.ENFORCE else None
        if why is not None:
            text = f"CAA records forbid {self.issuer.name} to sign for {hostname}: {why}"
            return Failed(Reason.CAA_FORBIDS, text, hostname=hostname.text, method=way.name)
        return None

    def _astray(self, hostname: Hostname, way: MethodSpec) -> str | None:
        route = route_of(self.names, hostname, self.site.machine, self.own)
        enforced = way.preflight.points_here is Switch.ENFORCE
        match route.how:
            case "nowhere":
                return f"does not resolve ({route.seen})"
            case "unanswered" if enforced:
                return f"cannot be resolved: {route.seen}"
            case "elsewhere" if enforced:
                return f"points at {route.seen}, and this machine is {shown(self.own)}"
        return None

    def _forbidden(self, hostname: Hostname, way: MethodSpec) -> str | None:
        if hostname.is_address:
            return None
        by = Issuing(self.identities, self.account, (way.type,))
        try:
            policy = policy_of(self.names, hostname.base)
        except Failed as failure:
            return f"they cannot be looked up, and a CA could not either: {failure}"
        return forbidden(policy, wildcard=hostname.is_wildcard, by=by)
