"""The names of a site: where they lead, and whether CAA lets the issuers sign for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed
from reconciler.execute.probes.caa import Issuing, forbidden, identities_of, policy_of
from reconciler.execute.probes.names import DNSSEC_BROKEN
from reconciler.execute.probes.routing import BY_ADDRESS, route_of, shown
from reconciler.model.findings import Check, Finding, Severity
from reconciler.model.names import Switch, Trust
from reconciler.model.observed import AccountRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.execute.probes.names import Names
    from reconciler.execute.probes.routing import Route
    from reconciler.model.desired import AcmeIssuer, DesiredSite, MethodSpec
    from reconciler.model.names import Hostname

_SIGNED: Final = "answers with valid signatures: CAs check them"
_RESIGN: Final = "sign the zone again, or take its DS record out of the parent zone; look: delv {}"
_UNSEEN: Final = frozenset({"DnsTimeout", "DnsUnreachable", "DnsNoRoute", "NoResolver", "DnsRefused"})


@dataclass(frozen=True, slots=True)
class Naming:
    """Looks at the names of one site. `account` gives our account at an issuer; `own` are our addresses.

    `note` hears what could not be judged.
    """

    names: Names
    own: frozenset[str]
    site: DesiredSite
    account: Callable[[AcmeIssuer], AccountRecord | None]
    note: Callable[[str], None]

    @property
    def issuers(self) -> list[AcmeIssuer]:
        """Give the site's CAs."""
        return [one for one in self.site.issuers if one.type == "acme"]

    def look(self, hostname: Hostname) -> tuple[Route | None, list[Finding]]:
        """Give where a name leads (None if that does not matter), and what is wrong with it."""
        ways = self.site.methods.get(hostname.text, ())
        modes = [one.preflight.points_here for one in ways if one.type in BY_ADDRESS]
        mode = _strictest(modes)
        route = route_of(self.names, hostname, self.site.machine, self.own) if mode is not Switch.OFF else None
        found = list(self._astray(hostname, route, mode, others=len(modes) < len(ways))) if route else []
        found += self._caa(hostname, ways)
        return route, list({one.check: one for one in reversed(found)}.values())[::-1]

    def _astray(self, hostname: Hostname, route: Route, mode: Switch, *, others: bool) -> Iterator[Finding]:
        severity = Severity.WARNING if others else Severity.of(mode)
        mend = record_lines(hostname.base, self.own) or f"publish the address of this machine for {hostname.base}"
        expected = f"it leads to this machine ({shown(self.own)})" if self.own else "it leads to this machine"
        match route.how:
            case "nowhere":
                public = any(one.trust is Trust.PUBLIC for one in self.issuers)
                severity = Severity.ERROR if public and not others else severity
                yield self._finding(Check.NAME, severity, hostname, route.seen, expected, mend)
            case "elsewhere":
                more = "; if a NAT or a CDN stands before us: `preflight: {pointsHere: off}` in its `challenges`"
                yield self._finding(Check.NAME, severity, hostname, f"it points at {route.seen}", expected, mend + more)
            case "unanswered" if route.failure is not None:
                yield from self._unanswered(hostname, route.failure, severity)

    def _caa(self, hostname: Hostname, ways: Sequence[MethodSpec]) -> Iterator[Finding]:
        mode = _strictest([one.preflight.caa for one in ways])
        if mode is Switch.OFF or hostname.is_address:
            return
        try:
            policy = policy_of(self.names, hostname.base)
        except Failed as failure:
            yield from self._unanswered(hostname, failure, Severity.of(mode))
            return
        for number, issuer in enumerate(self.issuers):
            account = self.account(issuer) or AccountRecord(issuer.directory, issuer.account)
            identities = identities_of(issuer.directory, account.caa)
            types = tuple(dict.fromkeys(one.type for one in ways))
            why = forbidden(policy, wildcard=hostname.is_wildcard, by=Issuing(identities, account.url, types))
            if policy is not None and (policy.issue or policy.wild) and not identities and why is None:
                told = f"CAA of {policy.owner} is not judged: what {issuer.name} is called there is known once its"
                self.note(f"{told} account is registered (`certwright apply`)")
            if why is None or policy is None:
                continue
            severity = Severity.of(mode) if number == 0 else Severity.WARNING
            tag = "issuewild" if hostname.is_wildcard and policy.wild else "issue"
            line = f'{policy.owner}. CAA 0 {tag} "{identities[0] if identities else "the name of the CA"}"'
            seen = f"{policy.owner} has CAA {policy.text}: {why}"
            yield self._finding(Check.CAA, severity, hostname, seen, f"{issuer.name} may sign", f"publish {line}")
            return

    def _unanswered(self, hostname: Hostname, failure: Failed, severity: Severity) -> Iterator[Finding]:
        if failure.reason == DNSSEC_BROKEN:
            mend = _RESIGN.format(hostname.base)
            yield self._finding(Check.DNSSEC, Severity.ERROR, hostname, str(failure), _SIGNED, mend)
        elif failure.reason in _UNSEEN:
            mend = "mend /etc/resolv.conf, or name others: `resolvers: [ADDRESS:PORT]` in the Server's spec"
            yield Finding(Check.RESOLVER, Severity.WARNING, "resolvers", str(failure), "a resolver that answers", mend)
        else:
            mend = f"mend the name servers of the zone; look: dig +trace {hostname.base}"
            yield self._finding(Check.NAME, severity, hostname, str(failure), "its name servers answer", mend)

    def _finding(
        self, check: Check, severity: Severity, hostname: Hostname, seen: str, expected: str, mend: str
    ) -> Finding:
        return Finding(check, severity, hostname.text, seen, expected, mend, self.site.name)


def _strictest(modes: Sequence[Switch]) -> Switch:
    return next((mode for mode in (Switch.ENFORCE, Switch.WARN) if mode in modes), Switch.OFF)


def record_lines(name: str, own: frozenset[str]) -> str:
    """Give the records that would make a name lead here; "" where no address is known."""
    lines = [f"{name}. {'AAAA' if ':' in address else 'A'} {address}" for address in sorted(own)[:4]]
    return f"publish {' and '.join(lines)}" if lines else ""
