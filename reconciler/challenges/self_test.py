"""The self-test: is our own answer there, before a CA is asked to look and counts a failure?

By http-01 as the CA goes: the name as this machine resolves it (else as the caller finds it), port 80. By tls-alpn-01
at our own listener, since port 443 of the name may be another machine's. The ways by DNS have their own, which is
propagation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.challenges.tls_alpn01 import check_listener
from reconciler.doors.http.fetching import fetch
from reconciler.errors import Failed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.desired import MethodSpec

    Find = Callable[[str], Sequence[str]]

_PORT: Final = 80
_SHOWN: Final = 60
_OK: Final = 200


def check(method: MethodSpec, hostname: str, token: str, key_authorization: str, find: Find | None = None) -> None:
    """Test one answer. Raises Failed(SelfTestFailed) with what was seen."""
    match method.type:
        case "http-01":
            check_fetch(hostname, token, key_authorization, find=find)
        case "tls-alpn-01":
            check_listener(method.way, hostname, key_authorization)
        case _:
            pass


def check_fetch(hostname: str, token: str, key_authorization: str, port: int = _PORT, find: Find | None = None) -> None:
    """Fetch an answer of http-01. Raises Failed(SelfTestFailed)."""
    path = f"/.well-known/acme-challenge/{token}"
    place = f"http://{hostname}{path}"
    try:
        status, body = fetch(hostname, port, path, find=find)
    except Failed as failure:
        raise Failed("SelfTestFailed", f"{place} cannot be fetched from here: {failure}") from None
    if status != _OK:
        raise Failed("SelfTestFailed", f"{place} answers {status} here")
    # RFC 8555 section 8.3: white space at the end is no harm
    if body.rstrip() != key_authorization.encode():
        seen = clean(body[:_SHOWN].decode(errors="replace"), _SHOWN)
        raise Failed("SelfTestFailed", f"{place} answers something else here, beginning with: {seen or 'nothing'}")
