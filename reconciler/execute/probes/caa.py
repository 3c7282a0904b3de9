"""May this CA sign for a name? CAA records (RFC 8659), with the parameters of RFC 8657."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client import api as dns
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.execute.probes.names import Names

# CAs by the host of their directory: the names by which CAA knows them, from their own documentation
_IDENTITIES: Final = {
    "acme-v02.api.letsencrypt.org": ("letsencrypt.org",),
    "acme-staging-v02.api.letsencrypt.org": ("letsencrypt.org",),
    "dv.acme-v02.api.pki.goog": ("pki.goog",),
    "dv.acme-v02.test-api.pki.goog": ("pki.goog",),
    "acme.zerossl.com": ("sectigo.com", "trust-provider.com", "usertrust.com", "comodoca.com", "comodo.com"),
    "acme-api.actalis.com": ("actalis.it",),
}
_KNOWN: Final = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
_RECORD: Final = re.compile(r'(\d{1,3}) ([A-Za-z0-9]{1,63}) "((?:[^"\\]|\\.)*)"', re.ASCII)
_PARAMETER: Final = re.compile(r"\s*([A-Za-z0-9-]+)\s*=\s*([!-:<-~]*)\s*", re.ASCII)
_CRITICAL: Final = 128
_MOST: Final = 100
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who would issue. `identities` are the CA's names (none: not known); `account` its URL, `types` of challenges."""

    identities: tuple[str, ...]
    account: str | None
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Property:
    """One `issue` or `issuewild`: a CA's name ("" forbids all) and its parameters."""

    issuer: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """The records that hold for a name, found at `owner`; `critical` is a tag that nobody may pass over."""

    owner: str
    issue: tuple[Property, ...] = ()
    wild: tuple[Property, ...] = ()
    critical: str | None = None
    text: str = ""


def identities_of(directory: str, told: Sequence[str] = ()) -> tuple[str, ...]:
    """Give the names of a CA: those that it told itself, else what is known of its directory."""
    if told:
        return tuple(told)
    host = directory.removeprefix("https://").partition("/")[0]
    return _IDENTITIES.get(host, ())


def policy_of(names: Names, name: str) -> Policy | None:
    """Climb from a name to the root until CAA records are found (RFC 8659 section 3). Raises Failed."""
    here = name
    while here:
        records = names.ask(here, "CAA").records
        if records:
            return read(here, records[:_MOST])
        here = dns.parent(here)
    return None


def read(owner: str, records: Sequence[str]) -> Policy:
    """Read records in presentation format; one that cannot be read counts as critical."""
    issue: list[Property] = []
    wild: list[Property] = []
    critical = None
    for record in records:
        match = _RECORD.fullmatch(record)
        tag = match[2].lower() if match else "?"
        if match is None or (int(match[1]) & _CRITICAL and tag not in _KNOWN):
            critical = tag
        elif tag in ("issue", "issuewild"):
            (issue if tag == "issue" else wild).append(_property(match[3]))
    return Policy(owner, tuple(issue), tuple(wild), critical, clean(" / ".join(sorted(records)[:4]), _SHOWN))


def _property(value: str) -> Property:
    issuer, *rest = value.split(";")
    matches = [_PARAMETER.fullmatch(one) for one in rest if one.strip()]
    if not all(matches):
        return Property("")  # RFC 8659 section 4.2: what cannot be read allows nobody
    return Property(issuer.strip().lower().rstrip("."), {one[1].lower(): one[2] for one in matches if one})


def forbidden(policy: Policy | None, *, wildcard: bool, by: Issuing) -> str | None:
    """Say why the issuer may not sign for a name; None if it may, or if that cannot be known."""
    why = _forbidden(policy, wildcard=wildcard, by=by) if policy is not None else None
    return clean(why, _SHOWN) if why is not None else None


def _forbidden(policy: Policy, *, wildcard: bool, by: Issuing) -> str | None:
    if policy.critical is not None:
        return f"a critical property {policy.critical} stands there that no CA may pass over"
    relevant = policy.wild if wildcard and policy.wild else policy.issue
    if not relevant:
        return None
    if not by.identities:
        return "no CA at all is allowed" if all(not one.issuer for one in relevant) else None
    ours = [one for one in relevant if one.issuer in by.identities]
    if not ours:
        return f"allowed are {_allowed(relevant)}, not {by.identities[0]}"
    reasons = [_parameters(one, by) for one in ours]
    return None if None in reasons else reasons[0]


def _allowed(relevant: Iterable[Property]) -> str:
    return ", ".join(sorted({one.issuer for one in relevant if one.issuer})) or "none"


def _parameters(one: Property, by: Issuing) -> str | None:
    account = one.parameters.get("accounturi")
    if account is not None and account != by.account:
        return f"only the account {account} may ask, ours is {by.account or 'not registered yet'}"
    methods = one.parameters.get("validationmethods")
    if methods is not None and not set(methods.split(",")) & set(by.types):
        allowed = f"only proof by {methods}" if methods.strip(", ") else "no way of proof at all"
        return f"{allowed} is allowed, the site has {', '.join(by.types) or 'none'}"
    return None
