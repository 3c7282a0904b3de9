"""Does a name lead to this machine? For http-01 and tls-alpn-01 alone: a name proven by DNS need not resolve."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

from reconciler.doors.addresses import global_addresses
from reconciler.errors import Failed

if TYPE_CHECKING:
    from reconciler.execute.probes.names import Names
    from reconciler.model.desired import Machine
    from reconciler.model.names import Hostname

BY_ADDRESS: Final = frozenset({"http-01", "tls-alpn-01"})
_SHOWN: Final = 4

How = Literal["here", "unknown", "elsewhere", "nowhere", "unanswered"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads. `unknown`: nobody said which addresses are this machine's; `unanswered`: DNS gave nothing."""

    how: How
    seen: str = ""
    failure: Failed | None = None

    @property
    def resolves(self) -> bool:
        """Tell whether the name has an address."""
        return self.how in ("here", "unknown", "elsewhere")


def own_addresses(machine: Machine) -> frozenset[str]:
    """Give the addresses that names should point at; none where none is known."""
    given = machine.addresses if machine.addresses is not None else global_addresses()
    return frozenset(str(ip_address(text)) for text in given)


def route_of(names: Names, hostname: Hostname, machine: Machine, own: frozenset[str]) -> Route:
    """Find out where a name leads. What its registered domain points at is as good as we are: a CDN may stand there.

    `own` are the machine's addresses. Where they are not declared, a family of which none is known is not judged:
    behind a NAT a machine sees its IPv6 addresses alone.
    """
    whole = machine.addresses is not None
    if hostname.is_address:
        return _judged(frozenset({str(ip_address(hostname.text))}), own, whole=whole)
    try:
        found = names.addresses(hostname.base)
    except Failed as failure:
        return Route("unanswered", str(failure), failure)
    if not found.addresses:
        return Route("nowhere", "it has neither A nor AAAA" if found.exists else "the name does not exist")
    route = _judged(found.addresses, own, whole=whole)
    if route.how == "elsewhere" and hostname.registered not in ("", hostname.base):
        try:
            apex = names.addresses(hostname.registered).addresses
        except Failed:
            return route
        if apex and found.addresses <= apex:
            return Route("here", route.seen)
    return route


def _judged(found: frozenset[str], own: frozenset[str], *, whole: bool) -> Route:
    seen = shown(found)
    families = {":" in address for address in own}
    judged = found if whole else frozenset(address for address in found if (":" in address) in families)
    if not own or not judged:
        return Route("unknown", seen)
    # a CA asks any of them, IPv6 first: all must be ours
    return Route("here" if judged <= own else "elsewhere", seen)


def shown(addresses: frozenset[str]) -> str:
    """Name the first few."""
    some = sorted(addresses)
    more = f" and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""
    return ", ".join(some[:_SHOWN]) + more
