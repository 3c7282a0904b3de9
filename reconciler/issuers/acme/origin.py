"""Which URLs a CA may name, and which addresses its name may lead to.

A CA is hostile until proven otherwise: it may name URLs of our intranet, and its name may resolve to one. So every URL
has the directory's origin, and a connection goes to an address that was looked up once and checked, never to a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from reconciler.errors import Failed, Stalled, Transient
from reconciler.issuers.acme.lookups import look_up
from reconciler.model.text import clean

LOOKUP_SECONDS: Final = 10.0
_URL: Final = re.compile(r"https?://[\x21-\x7e]{1,2040}", re.ASCII)
_REST: Final = re.compile(r"/[A-Za-z0-9._~/=-]{0,2000}", re.ASCII)
_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a CA (RFC 6454 section 4).

    `private` allows addresses that are not global: the Issuer declares a `caBundle`, so it is a CA of one's own.
    """

    scheme: str
    host: str
    port: int
    private: bool = False
    _start: str = field(init=False, compare=False, repr=False, default="")

    def __post_init__(self) -> None:
        """Note how the CA's own URLs begin: each of an order's sixty is then not taken apart."""
        object.__setattr__(self, "_start", f"{self}/")

    def __str__(self) -> str:
        """Give `https://ca.example:14000`, without the port where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    def target(self, url: str) -> str:
        """Give the request target of a URL of this origin. Raises Failed(CaMisbehaves) for any other."""
        if url.startswith(self._start) and _REST.fullmatch(url, len(self._start) - 1):
            return url[len(self._start) - 1 :]
        scheme, host, port, rest = _split(url)
        if (scheme, host, port) != (self.scheme, self.host, self.port):
            raise misbehaves(f"the CA names a URL of another origin than {self}: {clean(url, 200)}", url)
        return rest

    def addresses(self, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """Look the host up and give the addresses that may be connected to, in the resolver's order.

        Raises Transient (the resolver failed, or was silent for so many seconds), Failed(AddressNotAllowed).
        """
        try:
            texts = look_up(self.host, self.port, seconds)
        except TimeoutError:
            raise Transient(f"cannot look up {self.host}: no resolver answered within {seconds:.2g} s") from None
        except OSError as error:
            raise Transient(f"cannot look up {self.host}: {error.strerror or 'no answer'}") from None
        allowed = tuple(text for text in texts if self._may(ip_address(text.partition("%")[0])))
        if not allowed:
            remedy = "only http to this machine itself is allowed" if self.scheme == "http" else "declare its caBundle"
            message = f"{self.host} leads to {', '.join(texts[:3])}, which is no public address; {remedy}"
            raise Failed("AddressNotAllowed", message, blame="ca", url=str(self))
        return allowed

    def _may(self, address: Address) -> bool:
        inner = _inner(address)
        if self.scheme == "http":
            return inner.is_loopback
        if inner.is_multicast or inner.is_unspecified:
            return False
        return inner.is_global or self.private


def origin_of(directory: str, *, private: bool, allow_insecure: bool) -> Origin:
    """Judge a directory URL. Raises Stalled(InsecureDirectory) for http, unless it is allowed and to this machine."""
    scheme, host, port, _ = _split(directory)
    origin = Origin(scheme, host, port, private)
    if scheme == "http" and not (allow_insecure and _is_loopback(host)):
        message = f"the directory {clean(directory, 200)} is http; only https is safe"
        raise Stalled("InsecureDirectory", message, "the directory is https, or loopback with allowInsecure")
    return origin


def misbehaves(message: str, url: str | None = None) -> Failed:
    """Make the failure for an answer that RFC 8555 does not allow. `message` must be cleaned."""
    return Failed("CaMisbehaves", message, blame="ca", url=None if url is None else clean(url, 200))


@lru_cache(maxsize=4096)
def _split(url: str) -> tuple[str, str, int, str]:
    """Take a URL apart: scheme, host, port and the request's target."""
    try:
        parts = urlsplit(url if _URL.fullmatch(url) else "")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or "@" in parts.netloc or "\\" in url or parts.fragment:
        raise misbehaves(f"not a URL that we would ask: {clean(url, 200)}")
    rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or _PORTS[parts.scheme], rest


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _inner(address: Address) -> Address:
    """Look through IPv6 forms that carry an IPv4 address (RFC 4291 section 2.5.5.2, RFC 6052)."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
