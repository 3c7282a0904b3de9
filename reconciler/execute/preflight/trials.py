"""Ways to prove control, tried with an answer that nobody asked for.

By http-01 and tls-alpn-01 for each name: the answer is there and the port is open. By DNS once for each zone: the
provider takes a random TXT value at the very name where a challenge's would stand, beside others, the name servers show
it, and it is removed; of a person (`manual`) nothing is asked, but the zone must be found.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client import api as dns
from reconciler.errors import CertwrightError, Failed, Stalled, Waiting
from reconciler.execute.sites.undoing import NEVER_DONE, undo
from reconciler.model.desired import Http01, TlsAlpn01, Webroot
from reconciler.model.findings import Check, Finding, Severity
from reconciler.model.names import Switch
from reconciler.model.ports import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.execute.probes.names import Names
    from reconciler.model.desired import MethodSpec
    from reconciler.model.names import Hostname
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Challenges, Store

_PORTS: Final = {"http-01": 80, "tls-alpn-01": 443}
_WRITES: Final = frozenset({"rfc2136", "lexicon", "exec"})
_SECONDS: Final = 3.0
# far longer than any way is tried; who is killed meanwhile leaves it to the next pass after that
_TRIED: Final = timedelta(minutes=15)
_MENDS: Final = {
    "TsigRefused": (
        "give both sides one key and one time: compare `provider.tsig` of the ChallengeMethod {} with the key in the "
        "name server's configuration, and let that take updates of TXT records there from it; look: date -u"
    ),
    "DnsRefused": "let the name server take updates of TXT records there from the key of the ChallengeMethod {}",
    "ZoneNotFound": (
        "name whom to ask for it (`resolvers`) in the ChallengeMethod {}, or the zone itself (`provider.zone`, where "
        "the provider has it)"
    ),
    "ZoneNotOurs": "name the zone's primary: `provider.server` of the ChallengeMethod {}",
    "AliasStands": "write `followCname: true` in the ChallengeMethod {}, or take the CNAME away",
    "NotPropagated": (
        "see whether the provider wrote it and its servers spread it, or write a longer `propagation.timeout` into the "
        "ChallengeMethod {}"
    ),
    "DnsUnreachable": (
        "let us reach it, or name others in the ChallengeMethod {}: `provider.server`, `propagation.nameservers`"
    ),
    "AliasRefused": "list the CNAME's target in `cnameTargets` of the ChallengeMethod {}, or mend the CNAME",
}
# a server that refused, or where nobody logged in, wrote nothing, so that nothing is left to be removed
# each declared command is looked at by itself, and told once
_TOLD: Final = frozenset({"CommandMissing", "CommandRefused"})
_NEVER_WRITTEN: Final = NEVER_DONE | {"TsigRefused", "DnsRefused", "ZoneNotOurs", "HttpFailed"}


@dataclass
class Trials:
    """Tries ways; what was tried once for a zone is not tried again."""

    store: Store
    challenges: Challenges
    names: Names
    _written: set[tuple[str, str]] = field(default_factory=set)

    def run(self, site: str, hostname: Hostname, method: MethodSpec) -> Iterator[Finding]:
        """Try one way for one name."""
        if isinstance(method, Http01 | TlsAlpn01):
            yield from self._by_port(site, hostname, method)
        elif method.type != "dns-persist-01":
            yield from self._by_dns(site, hostname, method)

    def _by_port(self, site: str, hostname: Hostname, method: Http01 | TlsAlpn01) -> Iterator[Finding]:
        token = secrets.token_urlsafe(24)
        answer = f"{token}.{secrets.token_urlsafe(32)}"
        thing = None
        try:
            thing = self._presented(site, hostname, method, token, answer)
            yield from self._seen(site, hostname, method, token, answer)
        except (Failed, Stalled) as failure:
            yield self._refused(site, hostname, method, failure)
        finally:
            if thing is not None:
                undo(self.store, self.challenges, thing)

    def _presented(self, site: str, hostname: Hostname, method: Http01 | TlsAlpn01, token: str, answer: str) -> Undo:
        solver = self.challenges.solver(method)
        thing = replace(solver.prepare(site, hostname.text, token, Asked(answer)), until=datetime.now(UTC) + _TRIED)
        self.store.put_undo(thing)
        try:
            done = solver.present(thing, answer)
        except CertwrightError:
            undo(self.store, self.challenges, thing)
            raise
        if done != thing:
            self.store.put_undo(done)
        return done

    def _seen(
        self, site: str, hostname: Hostname, method: Http01 | TlsAlpn01, token: str, answer: str
    ) -> Iterator[Finding]:
        port = _PORTS[method.type]
        test = method.self_test
        closed = self._closed(hostname, port)
        expected = f"CAs come to port {port} of the name"
        if closed is not None:
            yield Finding(Check.PORT, Severity.of(test), hostname.text, closed, expected, _opened(method, port), site)
        elif test is not Switch.OFF:
            try:
                self.challenges.self_test(method, hostname.text, token, answer, self.names.declared_addresses)
            except Failed as failure:
                mend = f"let the server of port {port} give out what the method {method.name} answers"
                yield Finding(Check.CHALLENGE, Severity.of(test), hostname.text, str(failure), expected, mend, site)

    def _closed(self, hostname: Hostname, port: int) -> str | None:
        """Give why a port cannot be reached at any address of a name; None if it can, or if nobody knows."""
        try:
            found = [hostname.text] if hostname.is_address else sorted(self.names.addresses(hostname.base).addresses)
        except Failed:
            return None
        last = None
        for address in found[:4]:
            try:
                socket.create_connection((address, port), timeout=_SECONDS).close()
            except OSError as error:
                words = "no answer" if isinstance(error, TimeoutError) else (error.strerror or "no way there").lower()
                last = f"port {port} of {address} cannot be reached from here: {words}"
            else:
                return None
        return last

    def _by_dns(self, site: str, hostname: Hostname, method: MethodSpec) -> Iterator[Finding]:
        token = secrets.token_urlsafe(24)
        asked = Asked(f"{token}.{secrets.token_urlsafe(32)}", account=f"preflight:{token}")
        try:
            self._written_once(site, hostname, method, token, asked)
        except (Failed, Stalled) as failure:
            if failure.reason not in _TOLD:
                yield self._refused(site, hostname, method, failure)
        except Waiting as slow:
            late = self._refused(site, hostname, method, Failed("NotPropagated", str(slow)))
            yield replace(late, severity=Severity.WARNING)

    def _written_once(self, site: str, hostname: Hostname, method: MethodSpec, token: str, asked: Asked) -> None:
        solver = self.challenges.solver(method)
        now = datetime.now(UTC)
        thing = replace(solver.prepare(site, hostname.text, token, asked), presented=now, until=now + _TRIED)
        kind = thing.provider.type if thing.provider is not None else ""
        if kind not in _WRITES or (method.name, thing.place) in self._written:
            return
        self._written.add((method.name, thing.place))
        self.store.put_undo(thing)
        failure: Failed | Waiting | None = None
        try:
            solver.present(thing, asked.key_authorization)
            solver.settle([thing], datetime.now(UTC), lambda _text: None)
        except Failed as refused:
            failure = refused
        except Waiting as waits:
            failure = waits
        left = undo(self.store, self.challenges, thing)
        if failure is None and left is not None:
            failure = Failed("LeftBehind", f"a value that was written cannot be removed: {left}")
        if failure is not None:
            if failure.reason in _NEVER_WRITTEN:
                self.store.undone(thing)
            raise failure

    @staticmethod
    def _refused(site: str, hostname: Hostname, method: MethodSpec, failure: Failed | Stalled) -> Finding:
        expected = f"the method {method.name} can answer a challenge of {method.type}"
        seen, mend = _mended(str(failure), failure, method)
        return Finding(Check.CHALLENGE, Severity.ERROR, hostname.text, seen, expected, mend, site)


def _opened(method: Http01 | TlsAlpn01, port: int) -> str:
    """Tell who must open a port: the server, or what stands before a listener of ours that has another."""
    look = f"look: ss -ltn 'sport = :{port}'"
    if isinstance(method.way, Webroot) or method.way.port == port:
        return f"let the server listen there and the firewall pass it; {look}"
    where = f"{method.way.address or 'this machine'}, port {method.way.port}"
    return f"let a proxy or the firewall pass it on to the listener of the method {method.name} ({where}); {look}"


def _mended(seen: str, failure: Failed | Stalled, method: MethodSpec) -> tuple[str, str]:
    """Split what was seen from what mends it."""
    match failure.reason:
        case "WebrootMissing" if isinstance(method, Http01) and isinstance(method.way, Webroot):
            directory = method.way.directory
            placed = "{" in directory
            seen, _, other = seen.partition("; ")
            return seen, other if placed else f"mkdir -p {directory}; or correct `webroot.directory`"
        case "TsigRefused" if not isinstance(failure, dns.DnsFailed):
            # no name server was asked: what we have ourselves does not fit together
            return seen, f"mend `provider.tsig` of the ChallengeMethod {method.name}, or the file of its key"
        case _ if failure.reason in _MENDS:
            return seen, _MENDS[failure.reason].format(method.name)
        case _:
            return seen, f"mend what it names; look: certwright describe challengemethod {method.name}"
