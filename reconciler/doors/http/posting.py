"""Door to small JSON services over HTTP, such as an acme-dns server.

Enters: a URL of a manifest, headers, a JSON body. Leaves: the status and the JSON that came, or `Failed` in a sentence.
Must not: follow a redirect, use a proxy or anything else of the environment, speak plain HTTP to another machine, read
over 64 KiB or for over 30 s.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reconciler.doors.http._wire import Wire
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS: Final = 30.0
_CONNECT: Final = 10.0
_LARGEST: Final = 64 * 1024
_BLOCK: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `value` is None where it was no JSON."""

    status: int
    value: Any


def post_json(url: str, body: Mapping[str, object], headers: Mapping[str, str], *, ca_bundle: str | None) -> Reply:
    """Send a JSON object. `ca_bundle` (a path) replaces the system's CAs. Raises Failed(HttpFailed)."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc}"
    end = time.monotonic() + _SECONDS
    sent = {
        "User-Agent": "certwright",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    try:
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, ca_bundle)
        connection.connect()
        with closing(connection.sock) as dialled:
            connection.sock = Wire(dialled, end)
            connection.request("POST", parts.path or "/", json.dumps(body).encode(), sent)
            response = connection.getresponse()
            return Reply(response.status, _json(_read(response)))
    except ssl.SSLCertVerificationError as error:
        words = error.verify_message
        raise Failed("HttpFailed", f"the certificate of {place} is not trusted: {words}; see `caBundle`") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed("HttpFailed", f"{place} cannot be asked: {_words(error)}") from None


def _connection(scheme: str, host: str, port: int | None, ca_bundle: str | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_bundle)
        return http.client.HTTPSConnection(host, port, timeout=_CONNECT, context=context)
    if not _is_loopback(host):
        raise Failed("HttpFailed", f"credentials are not sent to {host} without TLS: write an https URL")
    return http.client.HTTPConnection(host, port, timeout=_CONNECT)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(response: http.client.HTTPResponse) -> bytes:
    content = b""
    while block := response.read1(_BLOCK):
        content += block
        if len(content) > _LARGEST:
            raise ValueError(f"its answer is over {_LARGEST >> 10} KiB")
    return content


def _words(error: Exception) -> str:
    """Say what went wrong; some of these errors have no words of their own."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it hung up without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"its answer is no HTTP ({type(error).__name__})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _json(content: bytes) -> Any:  # noqa: ANN401  JSON has no tighter type
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
