"""The whole checklist over some sites: what is asked of DNS goes out side by side, what is tried goes one by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.execute.preflight.commands import check_commands
from reconciler.execute.preflight.machine import check_state, check_target
from reconciler.execute.preflight.naming import Naming, record_lines
from reconciler.execute.preflight.server import check_email, check_hostname
from reconciler.execute.preflight.trials import Trials
from reconciler.execute.probes.names import Names
from reconciler.execute.probes.routing import BY_ADDRESS, own_addresses
from reconciler.model.desired import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.execute.probes.routing import Route
    from reconciler.model.desired import AcmeIssuer, DesiredSite, TargetSpec
    from reconciler.model.findings import Finding
    from reconciler.model.names import Hostname
    from reconciler.model.observed import AccountRecord
    from reconciler.model.ports import Challenges, Store, Target

_AT_ONCE: Final = 16


@dataclass
class Checklist:
    """Looks at sites. `root` is the state directory, `live` gives a site's own directory, `hostname` the machine's."""

    store: Store
    challenges: Challenges
    target: Callable[[TargetSpec], Target]
    live: Callable[[str], str]
    root: str
    hostname: str
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def run(self, sites: Sequence[DesiredSite]) -> list[Finding]:
        """Give what was found, from outside in, each once."""
        machine = sites[0].machine if sites else Machine()
        names, own = Names(machine.resolvers), own_addresses(machine)
        by_address = any(way.type in BY_ADDRESS for site in sites for ways in site.methods.values() for way in ways)
        if not own and by_address:
            self.notes.append("the addresses of this machine are not known (Server `addresses`): nothing is compared")
        found = [*self._server(sites, names, own, machine.hostname or self.hostname)]
        routes, of_names = self._names(sites, names, own)
        found += of_names
        found += self._trials(sites, names, routes)
        found += check_state(self.root)
        found += self._targets(sites)
        return list(dict.fromkeys(found))

    def _server(
        self, sites: Sequence[DesiredSite], names: Names, own: frozenset[str], hostname: str
    ) -> Iterator[Finding]:
        emails = {one.email for site in sites for one in site.issuers if one.type == "acme" and one.email}
        for email in sorted(emails):
            self.say(f"mail domain of {email}")
            yield from check_email(names, email)
        yield from check_hostname(names, hostname, record_lines(hostname, own))

    def _names(
        self, sites: Sequence[DesiredSite], names: Names, own: frozenset[str]
    ) -> tuple[dict[tuple[str, str], Route | None], list[Finding]]:
        work = [(Naming(names, own, site, self._account, self._note), one) for site in sites for one in site.hostnames]
        work = [(naming, one) for naming, one in work if naming.site.methods.get(one.text)]
        self.say(f"{len(work)} names")
        with ThreadPoolExecutor(_AT_ONCE, "names") as pool:
            looked = list(pool.map(lambda pair: pair[0].look(pair[1]), work))
        routes = {(naming.site.name, one.text): route for (naming, one), (route, _) in zip(work, looked, strict=True)}
        return routes, [finding for _, findings in looked for finding in findings]

    def _trials(
        self, sites: Sequence[DesiredSite], names: Names, routes: dict[tuple[str, str], Route | None]
    ) -> Iterator[Finding]:
        trials = Trials(self.store, self.challenges, names)
        for site in sites:
            for one in site.hostnames:
                for way in site.methods.get(one.text, ()):
                    if way.type in BY_ADDRESS and _astray(routes.get((site.name, one.text))):
                        continue
                    self.say(f"{site.name}: {one} by {way.name}")
                    yield from trials.run(site.name, _base(one), way)

    def _targets(self, sites: Sequence[DesiredSite]) -> Iterator[Finding]:
        for site in sites:
            for use in site.targets:
                yield from check_target(site, use, self.target(use.spec), self.live(site.name))
        yield from check_commands(sites)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _account(self, issuer: AcmeIssuer) -> AccountRecord | None:
        return self.store.accounts().get((issuer.directory, issuer.account))


def _astray(route: Route | None) -> bool:
    """Tell whether a name is known to lead elsewhere: nothing is tried at somebody else's machine."""
    return route is not None and route.how not in ("here", "unknown")


def _base(hostname: Hostname) -> Hostname:
    """Give the identifier that is proven: a wildcard without its `*.`."""
    return type(hostname)(hostname.base, hostname.registered)
