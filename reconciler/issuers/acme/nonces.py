"""Nonces (RFC 8555 section 6.5): taken from answers, last in first out, and fetched only when there are none."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

from reconciler.issuers.acme.origin import misbehaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.issuers.acme.transport import Answer

# CAs forget nonces; an old one costs a refused request
_AGE: Final = 600.0
_MOST: Final = 1000
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{1,512}", re.ASCII)
# a start with many threads must not become a storm of newNonce: public CAs allow bursts of ten
_FETCHERS: Final = 2


class Nonces:
    """The pool of one CA. Safe for threads; `fetch` gets one nonce over the network, two at a time at most."""

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float]) -> None:
        self._fetch, self._monotonic = fetch, monotonic
        self._held: list[tuple[str, float]] = []
        self._changed = threading.Condition()
        self._fetching = 0

    def put(self, nonce: str | None) -> None:
        """Keep a nonce that came with an answer, if one did."""
        if nonce is None:
            return
        with self._changed:
            if len(self._held) >= _MOST:
                del self._held[0]
            self._held.append((nonce, self._monotonic()))
            self._changed.notify()

    def take(self) -> str:
        """Give the freshest nonce, else fetch one; while others fetch, wait for theirs or for one of an answer."""
        with self._changed:
            while True:
                held = self._freshest()
                if held is not None:
                    return held
                if self._fetching < _FETCHERS:
                    self._fetching += 1
                    break
                self._changed.wait(1.0)
        try:
            return self._fetch()
        finally:
            with self._changed:
                self._fetching -= 1
                self._changed.notify()

    def _freshest(self) -> str | None:
        if self._held:
            nonce, born = self._held.pop()
            if self._monotonic() - born <= _AGE:
                return nonce
            # the freshest is too old, so all are
            self._held.clear()
        return None


def nonce_in(answer: Answer) -> str | None:
    """Give the nonce that an answer brought, None if it brought none. Raises Failed(CaMisbehaves)."""
    value = answer.header("replay-nonce")
    if value is not None and _NONCE.fullmatch(value) is None:
        raise misbehaves("the CA sent a Replay-Nonce that is not base64url", answer.url)
    return value
