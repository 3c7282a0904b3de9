"""Which handshakes prove a site: one on each port that the target verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.model.names import Hostname, Switch
from reconciler.model.ports import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import Verify
    from reconciler.model.ports import SiteOnTarget

_ANY_LABEL: Final = "certwright-probe"


def probes_of(verify: Verify, site: SiteOnTarget) -> tuple[Probe, ...]:
    """Give one handshake a port, none where nothing is verified."""
    if verify.mode is Switch.OFF:
        return ()
    name = server_name(site.hostnames)
    spoken = {one.port: one.protocol for one in verify.starttls}
    return tuple(Probe(verify.address, port, name, spoken.get(port)) for port in verify.ports)


def server_name(hostnames: Sequence[str]) -> str:
    """Pick the name to ask for (RFC 6066 section 3): the first that is neither wildcard nor address.

    Else a label under the first wildcard; empty (no SNI) for a site of addresses only.
    """
    names = [Hostname(text) for text in hostnames]
    plain = next((name.text for name in names if not name.is_wildcard and not name.is_address), None)
    if plain is not None:
        return plain
    wildcard = next((name.base for name in names if name.is_wildcard), None)
    return f"{_ANY_LABEL}.{wildcard}" if wildcard else ""
