"""Pure: which of our listeners a lock file stands for, and which of them get in each other's way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ANY: Final = "any"
_ANY_IPV4: Final = "0.0.0.0"  # noqa: S104  compared with, never listened at
_ANY_IPV6: Final = "--"
_END: Final = ".holder"


@dataclass(frozen=True, slots=True)
class Holder:
    """A listener for one type of challenge. `address` as a file's name has it: `any`, or with `-` for `:`."""

    port: int
    address: str
    kind: str

    @property
    def lock(self) -> str:
        """Give the name of the lock file that its process holds."""
        return f"{self.port}.{self.address}.{self.kind}{_END}"

    def covers(self, other: Holder) -> bool:
        """Tell whether visitors of the other come here, too."""
        family = _ANY_IPV6 if "-" in other.address else _ANY_IPV4
        wider = {_ANY} if other.address == _ANY else {_ANY, family}
        return self.port == other.port and self.address in {other.address, *wider}

    def __str__(self) -> str:
        """Give `http-01 at 127.0.0.1`."""
        return f"{self.kind} at {'all addresses' if self.address == _ANY else self.address.replace('-', ':')}"


def holder(address: str | None, port: int, kind: str) -> Holder:
    """Give the listener of a declared method; no address is all of both families."""
    return Holder(port, _ANY if address is None else address.replace(":", "-").replace("%", "+"), kind)


def named(name: str) -> Holder | None:
    """Read the name of a lock file back; None for any other file."""
    port, _, rest = name.removesuffix(_END).partition(".")
    address, _, kind = rest.rpartition(".")
    found = port.isascii() and port.isdecimal() and address and kind and name.endswith(_END)
    return Holder(int(port), address, kind) if found else None
