"""A name server that misbehaves as a test says: a function from the query to the bytes of the answer, or to silence."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.servers.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Trick = Callable[[dns.message.Message, str], bytes | None]


@dataclass
class Crooked:
    """A running one. `trick(query, "udp" or "tcp")` gives the raw answer, None for silence. `asked` is what came."""

    port: int
    trick: Trick
    asked: list[str] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def answer(self, wire: bytes, how: str) -> bytes | None:
        query = dns.message.from_wire(wire, keyring=False, ignore_trailing=True, continue_on_error=True)
        if query.question:
            self.asked.append(f"{how} {query.question[0].name} {query.question[0].rdtype.name}")
        return self.trick(query, how)


def honest(query: dns.message.Message, *records: str, rcode: str = "NOERROR", soa: str | None = None) -> bytes:
    """Give a well-formed, authoritative answer. A record is `NAME TTL TYPE DATA`; `soa` goes to the authority."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    response.set_rcode(dns.rcode.from_text(rcode))
    for record in records:
        name, ttl, kind, data = record.split(" ", 3)
        response.answer.append(dns.rrset.from_text(f"{name}.", int(ttl), "IN", kind, data))
    if soa is not None:
        response.authority.append(dns.rrset.from_text(f"{soa}.", 30, "IN", "SOA", "ns. host. 1 1 1 1 5"))
    return response.to_wire()


@contextmanager
def crooked(trick: Trick) -> Iterator[Crooked]:
    """Run one on loopback, for UDP and TCP."""
    port = free_port()
    server = Crooked(port, trick)
    stop = threading.Event()
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind((LOOPBACK, port))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((LOOPBACK, port))
        tcp.listen()
        for sock in (udp, tcp):
            sock.settimeout(0.05)
        threads = [
            threading.Thread(target=_datagrams, args=(udp, server, stop)),
            threading.Thread(target=_streams, args=(tcp, server, stop)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _datagrams(sock: socket.socket, server: Crooked, stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(OSError):
            wire, source = sock.recvfrom(65535)
            answer = server.answer(wire, "udp")
            if answer is not None:
                sock.sendto(answer, source)


def _streams(sock: socket.socket, server: Crooked, stop: threading.Event) -> None:
    held: list[socket.socket] = []
    while not stop.is_set():
        with suppress(OSError):
            client, _ = sock.accept()
            client.settimeout(1)
            held.append(client)
            (size,) = struct.unpack("!H", client.recv(2))
            answer = server.answer(client.recv(size), "tcp")
            if answer is not None:
                client.sendall(struct.pack("!H", min(len(answer), 65535)) + answer)
    for client in held:
        client.close()
