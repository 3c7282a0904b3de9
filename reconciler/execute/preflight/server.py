"""The Server: its contact's mail domain, its own hostname."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed
from reconciler.model.findings import Check, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.execute.probes.names import Names

_NULL_MX: Final = "0 ."
# a name server that will not, or cannot, tell: mail may be taken all the same
_UNANSWERED: Final = {"DnsBroken": Severity.WARNING, "DnsRefused": Severity.WARNING}
_LOOK: Final = "mend what the message names, be it the name servers of {} or the resolver that was asked"
_MEND: Final = "write an address that takes mail: `email` in the Server's or the Issuer's spec"


def check_email(names: Names, email: str) -> Iterator[Finding]:
    """See that mail to the contact can be delivered: MX, else an address (RFC 5321 section 5.1). CAs look too."""
    domain = email.rpartition("@")[2].strip("[]").lower()
    if not domain or ":" in domain or domain.replace(".", "").isdigit():
        return
    try:
        answer = names.ask(domain, "MX")
        mail = any(record != _NULL_MX for record in answer.records)
        direct = not answer.records and bool(names.addresses(domain).addresses)
    except Failed as failure:
        if failure.reason not in ("DnsBroken", "DnssecBroken", "DnsRefused"):
            return
        severity = _UNANSWERED.get(failure.reason, Severity.ERROR)
        yield replace(_email(email, str(failure)), severity=severity, mend=f"{_LOOK.format(domain)}; or {_MEND}")
        return
    if not mail and not direct:
        refuses = "it says that it takes no mail (RFC 7505)" if answer.records else "it has neither MX nor address"
        yield _email(email, refuses if answer.exists else "the domain does not exist")


def _email(email: str, seen: str) -> Finding:
    expected = "a domain with MX records: CAs refuse other contacts"
    return Finding(Check.EMAIL, Severity.ERROR, email, seen, expected, _MEND)


def check_hostname(names: Names, hostname: str, records: str) -> Iterator[Finding]:
    """See that the Server's own hostname resolves. `records` are lines that would make it."""
    if "." not in hostname:
        return
    try:
        found = names.addresses(hostname)
    except Failed as failure:
        if failure.reason in ("DnsBroken", "DnssecBroken"):
            yield _hostname(hostname, str(failure), records)
        return
    if not found.addresses:
        seen = "it has neither A nor AAAA" if found.exists else "the name does not exist"
        yield _hostname(hostname, seen, records)


def _hostname(hostname: str, seen: str, records: str) -> Finding:
    mend = records or "publish its address, or correct `hostname` in the Server's spec"
    return Finding(Check.SERVER, Severity.WARNING, hostname, seen, "the Server's hostname resolves", mend)
