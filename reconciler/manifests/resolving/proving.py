"""Which ways fit a hostname, and the sentence for one that none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors.hostnames import parse_hostname

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import MethodSpec
    from reconciler.model.names import Hostname

Names = tuple[frozenset[str], tuple[str, ...]]
"""What an entry of `challenges` selects: exactly these names; and these domains with all below them."""

_HOSTS_ONLY: Final = frozenset({"http-01", "tls-alpn-01"})
"""Challenge types that cannot prove a wildcard (RFC 8555 section 8.3, RFC 8737 section 3)."""


def ascii_of(text: str) -> str:
    """Give a hostname as it stands in a certificate; what is none in lower case."""
    try:
        return parse_hostname(text, public=False)[0]
    except ValueError:
        return text.lower()


def selects(names: Names | None, hostname: Hostname) -> bool:
    """Tell whether an entry is for this hostname; without selectors it is for all."""
    if names is None or hostname.text in names[0]:
        return True
    return any(hostname.base == domain or hostname.base.endswith(f".{domain}") for domain in names[1])


def can_prove(method: MethodSpec, hostname: Hostname) -> bool:
    """Tell whether a way fits: a wildcard is no host that could be asked, an address has no zone (RFC 8738)."""
    return not (hostname.is_wildcard if method.type in _HOSTS_ONLY else hostname.is_address)


def unprovable(hostname: Hostname, fitting: Sequence[MethodSpec]) -> str:
    """Say why no way proves this hostname; `fitting` are those whose entries select it."""
    kinds = " and ".join(sorted({method.type for method in fitting}))
    if fitting and hostname.is_wildcard:
        return (
            f"{hostname} is a wildcard, which {kinds} cannot prove (RFC 8555 section 8.3): "
            "add a method by DNS, or name its hosts instead"
        )
    if fitting:
        return (
            f"{hostname} is an address, which {kinds} cannot prove, as no DNS zone holds it (RFC 8738 section 7): "
            "add a method of type http-01 or tls-alpn-01"
        )
    return f"no entry of `challenges` selects {hostname}: add one, or take its selectors away"
