"""The handshakes of `verify`: what should be shown, what is shown, and whose it is if it is not what it should be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors import tls, x509
from reconciler.doors.hostnames import parse_hostname
from reconciler.errors import Failed
from reconciler.model.names import uncovered
from reconciler.model.observed import Revision
from reconciler.model.ports import SiteOnTarget
from reconciler.report.reasons import next_step
from reconciler.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.desired import StartTlsProtocol
    from reconciler.model.observed import CertificateFacts
    from reconciler.wiring import App

_AT_ONCE: Final = 16
_TIMEOUT: Final = 5.0
_OF_A_PLACE: Final = {
    "NothingListens": "start the server, or name another port",
    "NoTls": "turn TLS on at that port, or say by --starttls what is spoken before it",
    "HandshakeFailed": "look into the server's log; a server may want to be asked for a name: --sni NAME",
    "Timeout": "look whether the server is well",
    "NotIncluded": "nothing, if no Site declares this server; else include our files in its configuration",
    "NameServedElsewhere": "ask for a name by --sni NAME, or take the name out of the other block",
    "OldCertificateServed": "reload the server",
    "Expired": "renew it: `certwright status` tells of our own sites",
    "ChainBroken": "give the server the whole chain",
}
"""What a person does next about a place that was named as HOST:PORT, and belongs to no site."""


@dataclass(frozen=True, slots=True)
class Check:
    """One handshake to make. `expected` is the fingerprint of the site's live certificate, None if it has none."""

    site: str | None
    target: str | None
    address: str
    port: int
    sni: str | None
    expected: str | None
    starttls: StartTlsProtocol | None = None


class Checks:
    """Gathers the handshakes of sites and places, makes them at once, and judges them."""

    def __init__(self, app: App) -> None:
        """Look up whose certificate is whose only when something is asked."""
        self._app = app
        self._checks: list[Check] = []
        self._known: dict[str, tuple[str, bool]] = {}
        self.unseen: list[str] = []

    def add_sites(self, names: Collection[str], sni: str | None) -> None:
        """Check these declared sites at every port that their targets are looked at."""
        declared = self._app.tree.declared(names)
        live = self._app.store.live(names)
        for name, site in declared.sites.items():
            revision = live.get(name)
            expected = revision.facts.fingerprint if isinstance(revision, Revision) else None
            probes = [
                (use.spec.name, probe)
                for use in site.targets
                for probe in self._app.target(use.spec).probes(
                    SiteOnTarget.of(site, use, self._app.store.live_path(name))
                )
            ]
            found = {
                Check(name, target, probe.address, probe.port, sni or probe.sni, expected, probe.starttls): None
                for target, probe in probes
            }
            self._checks.extend(found)
            if not probes:
                self.unseen.append(name)

    def add_place(self, host: str, port: int, sni: str | None, starttls: StartTlsProtocol | None = None) -> None:
        """Check one place: it should show a live certificate of ours that has the name asked for."""
        is_name = any(char.isalpha() for char in host) and ":" not in host
        self._checks.append(Check(None, None, host, port, sni or (host if is_name else None), None, starttls))

    def run(self) -> list[dict[str, Any]]:
        """Make the handshakes; give the items of the report."""
        self._learn()
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            items = list(pool.map(self._made, self._checks))
        good = {_port(item) for item in items if item["reason"] == "Served"}
        return [self._elsewhere(item) if _port(item) in good else item for item in items]

    def _elsewhere(self, item: dict[str, Any]) -> dict[str, Any]:
        """Where a port serves a site by one name, another name that shows a stranger's is served elsewhere."""
        if item["site"] is None or item["reason"] != "NotIncluded":
            return item
        reason = "NameServedElsewhere"
        text = f"{item['message']}; other names of the site are served there, so another server block answers for this"
        return {**item, "reason": reason, "message": text, "next": next_step(reason, item["site"])}

    def _learn(self) -> None:
        """Find out which fingerprints are ours: of which site, and whether live."""
        for site in sorted(self._app.store.sites()):
            for revision in self._app.store.revisions(site):
                self._known.setdefault(revision.facts.fingerprint, (site, False))
        for site, live in self._app.store.live(self._app.store.sites()).items():
            if isinstance(live, Revision):
                self._known[live.facts.fingerprint] = (site, True)

    def _made(self, check: Check) -> dict[str, Any]:
        try:
            peer = tls.handshake(check.address, check.port, check.sni, timeout=_TIMEOUT, starttls=check.starttls)
            facts = x509.facts(peer.chain_der[0])
        except Failed as failure:
            return self._item(check, None, failure.reason, str(failure), chain_ok=False)
        reason, message = self._judged(check, facts)
        return self._item(check, facts, reason, message, chain_ok=x509.is_linked(peer.chain_der))

    def _judged(self, check: Check, facts: CertificateFacts) -> tuple[str, str]:
        owner, is_live = self._known.get(facts.fingerprint, (None, False))
        if check.expected == facts.fingerprint or (check.site is None and is_live):
            return self._dated(facts) or _named(check, facts, owner) or ("Served", "the certificate is served")
        if owner is not None and owner == (check.site or owner):
            return "OldCertificateServed", f"an earlier certificate of site {owner} is still served"
        if owner is not None:
            return (
                "NameServedElsewhere",
                f"the certificate of site {owner} is served: a server block of that site answers for the name",
            )
        issuer = facts.issuer_name or "an unknown issuer"
        return (
            "NotIncluded",
            f"a certificate that is not ours is served, by {issuer}, for {', '.join(facts.hostnames[:5])}",
        )

    @staticmethod
    def _dated(facts: CertificateFacts) -> tuple[str, str] | None:
        if facts.not_after <= datetime.now(UTC):
            return "Expired", f"the certificate served expired at {rfc3339(facts.not_after)}"
        return None

    def _item(
        self, check: Check, facts: CertificateFacts | None, reason: str, message: str, *, chain_ok: bool
    ) -> dict[str, Any]:
        ok = reason == "Served" and chain_ok
        owner = self._known.get(facts.fingerprint) if facts else None
        return {
            "site": check.site,
            "target": check.target,
            "address": check.address,
            "port": check.port,
            "starttls": check.starttls,
            "sni": check.sni,
            "ok": ok,
            "reason": reason if ok or reason != "Served" else "ChainBroken",
            "message": message if ok or reason != "Served" else "the chain that is served does not hang together",
            "next": None if ok else _next(reason if reason != "Served" else "ChainBroken", check.site),
            "expected": check.expected,
            "fingerprint": facts.fingerprint if facts else None,
            "servedRevisionOf": owner[0] if owner else None,
            "hostnames": list(facts.hostnames) if facts else [],
            "notBefore": rfc3339(facts.not_before) if facts else None,
            "notAfter": rfc3339(facts.not_after) if facts else None,
            "issuer": facts.issuer_name if facts else None,
            "chainOk": chain_ok,
        }


def _named(check: Check, facts: CertificateFacts, owner: str | None) -> tuple[str, str] | None:
    """Say that what is served, though ours, does not have the name that was asked for; None if it has, or none was."""
    if not check.sni or not uncovered((_plain(check.sni),), facts.hostnames):
        return None
    told = f"the certificate of site {check.site or owner} is served, which is not for {check.sni}"
    return "NameServedElsewhere" if check.site is None else "HostnamesDiffer", told


def _plain(name: str) -> str:
    """Write a name as it stands in a certificate."""
    try:
        return parse_hostname(name, public=False)[0]
    except ValueError:
        return name.lower()


def _next(reason: str, site: str | None) -> str | None:
    return _OF_A_PLACE.get(reason) if site is None else next_step(reason, site)


def _port(item: dict[str, Any]) -> tuple[object, ...]:
    return item["site"], item["target"], item["address"], item["port"]
