"""Where the built-in server block of nginx listens."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.desired import Verify

_HTTPS: Final = 443
_HTTP: Final = 80
_GREATEST: Final = 65535
_EVERY: Final = ("*", "::")


@dataclass(frozen=True, slots=True)
class Listen:
    """One `listen`: `address` is an IP address or `*`."""

    address: str
    port: int

    @property
    def variables(self) -> dict[str, object]:
        """Give what a template may print; brackets around a version 6 address stand in the template's own text."""
        return {"address": self.address, "port": self.port, "v6": ":" in self.address}


class BadListen(UsageError):
    """`values.listen` or `values.httpListen` is not a list of `ADDRESS:PORT`."""


def listening(verify: Verify, values: Mapping[str, object]) -> tuple[tuple[Listen, ...], tuple[Listen, ...]]:
    """Give where TLS and where plain HTTP is listened for; BadListen if the values do not say it properly.

    `values.listen` (TLS) and `values.httpListen` (plain) are lists of `ADDRESS:PORT`. Without them: every address, or
    `verify.address` where that is an IP address other than loopback's default, on `verify.ports` (else 443) and on 80.
    """
    addresses = _addresses(verify.address)
    spoken = {one.port for one in verify.starttls}
    ports = tuple(port for port in verify.ports if port not in spoken) or (_HTTPS,)
    default = [Listen(address, port) for port in ports for address in addresses]
    tls = _declared("listen", values) or tuple(default)
    plain = [Listen(address, _HTTP) for address in dict.fromkeys(at.address for at in tls)]
    return tls, _declared("httpListen", values) or tuple(plain)


def https_port(tls: Sequence[Listen]) -> int:
    """Give the port that a redirect names: 443 if it is among them, else the first."""
    ports = [at.port for at in tls]
    return _HTTPS if _HTTPS in ports else ports[0]


def _addresses(address: str) -> tuple[str, ...]:
    """Loopback is where we look, not where a web server should hide; a name is looked up by no server of ours."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return _EVERY
    return _EVERY if address in {"127.0.0.1", "::1"} else (str(parsed),)


def _declared(key: str, values: Mapping[str, object]) -> tuple[Listen, ...]:
    if key not in values:
        return ()
    given = values[key]
    entries = given if isinstance(given, list) else [given]
    if not entries:
        raise BadListen(f"values.{key} is empty; leave it out or list ADDRESS:PORT")
    return tuple(dict.fromkeys(_entry(key, entry) for entry in entries))


def _entry(key: str, entry: object) -> Listen:
    address, _, port = str(entry).rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    wrong = f"values.{key} holds {str(entry)[:60]!a}, not ADDRESS:PORT as in 192.0.2.1:443, [2001:db8::1]:443 or *:443"
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _GREATEST:
        raise BadListen(wrong)
    if address == "*":
        return Listen("*", int(port))
    try:
        parsed = ip_address(bare)
    except ValueError:
        raise BadListen(wrong) from None
    if isinstance(parsed, IPv6Address) != (address != bare) or "%" in bare:
        raise BadListen(wrong)
    return Listen(str(parsed), int(port))
