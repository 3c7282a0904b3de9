"""The tls-alpn-01 listener (RFC 8737): who asks for a known name with the one protocol is shown its proof.

See `visitors` for what keeps it small; a handshake has two seconds. A ClientHello is read before anything is answered:
who names nothing known, or speaks anything but `acme-tls/1`, gets an alert and no certificate. The only key here is the
throw-away one of each proof.
"""

from __future__ import annotations

import selectors
import ssl
from typing import TYPE_CHECKING, Final

from reconciler.challenges.hello import NotHello, read_hello
from reconciler.challenges.visitors import Client, Visitors
from reconciler.errors import Failed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

PROTOCOL: Final = "acme-tls/1"
LIFE_SECONDS: Final = 2.0
_BLOCK: Final = 4096
_MOST_RECEIVED: Final = 32 * 1024
# fatal alerts (RFC 8446 section 6.2): no_application_protocol, unrecognized_name
_WRONG_PROTOCOL: Final = b"\x15\x03\x03\x00\x02\x02\x78"
_UNKNOWN_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"


class _Client(Client):
    """`session` is there once the ClientHello was found good; `over` says that only sending is left."""

    session: ssl.SSLObject | None = None
    over = False

    def __init__(self, sock: socket.socket, source: str, end: float) -> None:
        super().__init__(sock, source, end)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.to_send = b""


class TlsServer(Visitors[_Client]):
    """Shows `proof(name)`, a context, on listening sockets."""

    client = _Client

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        proof: Callable[[str], ssl.SSLContext | None],
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(sockets, monotonic)
        self._proof = proof

    def _life(self) -> float:
        return LIFE_SECONDS

    def _go_on(self, client: _Client) -> None:
        if not client.over:
            self._receive(client)
        self._send(client)

    def _receive(self, client: _Client) -> None:
        try:
            block = client.sock.recv(_BLOCK)
        except (BlockingIOError, InterruptedError):
            return
        client.received += block
        if not block or len(client.received) > _MOST_RECEIVED:
            raise ConnectionAbortedError
        if client.session is None:
            self._begin(client)
        else:
            client.incoming.write(block)
        if client.session is not None:
            self._shake(client, client.session)

    def _begin(self, client: _Client) -> None:
        """Judge the ClientHello as soon as it is whole."""
        try:
            hello = read_hello(bytes(client.received))
        except NotHello:
            raise ConnectionAbortedError from None
        if hello is None:
            return
        if hello.protocols != (PROTOCOL.encode(),):
            self._refuse(client, _WRONG_PROTOCOL)
            return
        try:
            context = self._proof(hello.name) if hello.name is not None else None
        except Failed:
            context = None
        if context is None:
            self._refuse(client, _UNKNOWN_NAME)
            return
        client.session = context.wrap_bio(client.incoming, client.outgoing, server_side=True)
        client.incoming.write(bytes(client.received))

    @staticmethod
    def _refuse(client: _Client, alert: bytes) -> None:
        client.to_send, client.over = alert, True

    @staticmethod
    def _shake(client: _Client, session: ssl.SSLObject) -> None:
        try:
            session.do_handshake()
            client.over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            client.over = True  # the alert that says why still goes out
        client.to_send = (client.to_send or b"") + client.outgoing.read()

    def _send(self, client: _Client) -> None:
        left = client.to_send or b""
        if left:
            client.to_send = left = left[client.sock.send(left) :]
        if left:
            self._watch(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
        elif client.over:
            self._drop(client)
        else:
            self._watch(client, selectors.EVENT_READ)
