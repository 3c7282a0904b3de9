"""Door to one small page by plain HTTP: the answer to a challenge, fetched as a CA would.

Enters: a name or address, a port, a path. Leaves: the status and at most four KiB. Redirects are followed to port 80
and 443 of wherever they lead, as CAs do; certificates are not verified, as CAs do not. A name that this machine's own
resolver does not know is looked for where the caller says. It must not use a proxy or anything else of the environment,
send anything secret, or take longer than its deadline.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from reconciler.doors.http._wire import Wire, left
from reconciler.errors import Failed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Find = Callable[[str], Sequence[str]]

SECONDS: Final = 5.0
_LARGEST: Final = 4096
_MOST_REDIRECTS: Final = 5
_MOST_ADDRESSES: Final = 4
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}


def fetch(host: str, port: int, path: str, *, seconds: float = SECONDS, find: Find | None = None) -> tuple[int, bytes]:
    """Fetch a page. Raises Failed(FetchFailed). Where a resolver hangs, it may take that long beyond the deadline.

    `find` gives the addresses of a name that this machine's resolver does not know.
    """
    end = time.monotonic() + seconds
    literal = f"[{host}]" if ":" in host else host
    url = f"http://{literal}:{port}{path}" if port != _PORTS["http"] else f"http://{literal}{path}"
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            status, body, where = _once(url, end, own=port, find=find)
            if where is None:
                return status, body
            url = urljoin(url, where)
    except TimeoutError:
        raise Failed("FetchFailed", f"no answer within {seconds:g} s") from None
    except socket.gaierror:
        raise Failed("FetchFailed", f"{clean(urlsplit(url).hostname or '', 100)} does not resolve") from None
    except OSError as error:
        raise Failed("FetchFailed", clean(error.strerror or type(error).__name__, 120)) from None
    except (http.client.HTTPException, ValueError):
        raise Failed("FetchFailed", "what answers is no HTTP server that can be understood") from None
    raise Failed("FetchFailed", f"more than {_MOST_REDIRECTS} redirects")


def _once(url: str, end: float, *, own: int, find: Find | None) -> tuple[int, bytes, str | None]:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.port not in {None, own, *_PORTS.values()}:
        raise Failed("FetchFailed", f"a redirect leads to {clean(url, 120)}, where no CA goes")
    port = parts.port or _PORTS[parts.scheme]
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port)
    with closing(_dialled(connection, end, find)) as dialled:
        connection.sock = Wire(dialled, end)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target or "/", headers={"User-Agent": "certwright", "Connection": "close"})
        response = connection.getresponse()
        if response.status in _REDIRECTS and response.headers.get("Location"):
            return response.status, b"", response.headers["Location"][:2048]
        body = b""
        while len(body) < _LARGEST and (block := response.read1(_LARGEST - len(body))):
            body += block
        return response.status, body, None


def _dialled(connection: http.client.HTTPConnection, end: float, find: Find | None) -> socket.socket:
    """Connect to where the name leads, by TLS where the page wants it: one timeout holds for the whole handshake."""
    plain = _reached(connection.host, connection.port, end, find)
    if not isinstance(connection, http.client.HTTPSConnection):
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain.settimeout(max(end - time.monotonic(), 0.001))
    return context.wrap_socket(plain, server_hostname=connection.host)


def _reached(host: str, port: int, end: float, find: Find | None) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time that is left."""
    addresses = _addresses(host, find)
    last: OSError = TimeoutError()
    for count, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return socket.create_connection((address, port), left(end) / count)
        except OSError as error:
            last = error
    raise last


def _addresses(host: str, find: Find | None) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        addresses = find(host)[:_MOST_ADDRESSES] if find is not None else ()
        if not addresses:
            raise
        return addresses
    return list(dict.fromkeys(str(one[4][0]) for one in found))
