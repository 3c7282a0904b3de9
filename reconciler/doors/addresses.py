"""Door to the addresses of this machine, as the kernel lists them.

Enters: nothing. Leaves: the addresses by which others can reach it. Must not: ask the network, guess what a NAT shows.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

_FOUR: Final = Path("/proc/net/fib_trie")
_SIX: Final = Path("/proc/net/if_inet6")
_LEAF: Final = re.compile(r"\|-- ([0-9.]{7,15})\n\s+/32 host LOCAL", re.ASCII)
_TENTATIVE: Final = 0x48
_LARGEST: Final = 1 << 20


def global_addresses() -> tuple[str, ...]:
    """Give the machine's global addresses of both families, sorted; none where the kernel's lists cannot be read."""
    found = {*_LEAF.findall(_read(_FOUR)), *_six(_read(_SIX))}
    return tuple(sorted(address for address in found if ip_address(address).is_global))


def _six(text: str) -> list[str]:
    """Read lines of `address index prefix scope flags name`; those still being tried, or found double, are left out."""
    rows = [line.split() for line in text.splitlines()]
    usable = (row[0] for row in rows if len(row) > 4 and not int(row[4], 16) & _TENTATIVE)  # noqa: PLR2004
    return [str(IPv6Address(int(digits, 16))) for digits in usable]


def _read(path: Path) -> str:
    try:
        with path.open() as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
