"""What the listeners of this process show: only what the store publishes, looked up when somebody asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

from reconciler.challenges.identity import proves
from reconciler.challenges.tls_alpn01 import TYPE as TLS_ALPN
from reconciler.challenges.tls_alpn01 import identifier, published_name
from reconciler.errors import CertwrightError
from reconciler.model.tokens import is_key_authorization

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Sequence

    from reconciler.challenges.listener import Server
    from reconciler.challenges.tls_listener import TlsServer
    from reconciler.model.ports import Clock

_MOST_KEPT: Final = 256


class Reading(Protocol):
    """The part of the store that is read here."""

    def token(self, token: str) -> bytes | None:
        """Give what is published under a name, None if nothing is."""
        ...


class Answers:
    """Makes servers. A proof for a handshake is made once; the newest few are kept, each with a key of its own."""

    def __init__(self, published: Reading, clock: Clock) -> None:
        self._published, self._clock = published, clock
        self._lock = threading.Lock()
        self._proofs: dict[tuple[str, bytes], ssl.SSLContext] = {}

    def server(self, kind: str, sockets: Sequence[socket.socket]) -> Server | TlsServer:
        """Give the server of a kind of challenge; it takes over the sockets."""
        if kind == TLS_ALPN:
            from reconciler.challenges.tls_listener import TlsServer

            return TlsServer(sockets, self.proof, self._clock.monotonic)
        from reconciler.challenges.listener import Server

        return Server(sockets, self.answer, self._clock.monotonic)

    def answer(self, token: str) -> bytes | None:
        """Give what a visitor may read: a key authorization for this very token, and nothing else that lies there."""
        content = self._read(token)
        return content if content is not None and proves(content, token) else None

    def proof(self, name: str) -> ssl.SSLContext | None:
        """Give the proof for a server name, None if none is published. Raises Failed(TlsUnusable)."""
        content = self._read(published_name(name))
        if content is None or not is_key_authorization(content):
            return None
        with self._lock:
            if (name, content) not in self._proofs:
                while len(self._proofs) >= _MOST_KEPT:
                    del self._proofs[next(iter(self._proofs))]
                self._proofs[name, content] = self._made(name, content)
            return self._proofs[name, content]

    def _made(self, name: str, content: bytes) -> ssl.SSLContext:
        from reconciler.doors import x509
        from reconciler.doors.tls import server_context

        key, certificate = x509.challenge_certificate(identifier(name), content, self._clock.now())
        return server_context(certificate, key, "acme-tls/1")

    def _read(self, name: str) -> bytes | None:
        try:
            return self._published.token(name)
        except CertwrightError:
            return None
