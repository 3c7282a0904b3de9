"""Which handshakes prove a site: on each port that the target verifies, one for each of its names, within a bound."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from reconciler.model.names import Hostname, Switch
from reconciler.model.ports import Probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import Verify
    from reconciler.model.ports import SiteOnTarget

MOST: Final = 16
_ANY_LABEL: Final = "certwright-probe"


def probes_of(verify: Verify, site: SiteOnTarget) -> tuple[Probe, ...]:
    """Give a handshake for each port and name, the first name's first; none where nothing is verified."""
    if verify.mode is Switch.OFF:
        return ()
    spoken = {one.port: one.protocol for one in verify.starttls}
    return tuple(
        Probe(verify.address, port, name, spoken.get(port))
        for name in server_names(site.hostnames)
        for port in verify.ports
    )


def server_names(hostnames: Sequence[str]) -> tuple[str, ...]:
    """Pick the names to ask for (RFC 6066 section 3): all but addresses, of a wildcard a made-up label under it.

    Of more than `MOST` the first and a sample, the same each time. Empty text (no SNI) for a site of addresses only.
    """
    names = [Hostname(text) for text in hostnames]
    plain = [name.text for name in names if not name.is_wildcard and not name.is_address]
    made_up = [f"{_ANY_LABEL}.{name.base}" for name in names if name.is_wildcard]
    first, *others = dict.fromkeys((*plain, *made_up)) or ("",)
    if len(others) < MOST:
        return (first, *others)
    drawn = set(sorted(others, key=lambda name: hashlib.sha256(name.encode()).digest())[: MOST - 1])
    return (first, *(name for name in others if name in drawn))
