"""TLS: what a server shows, and contexts that no environment variable can change.

Enters: an address, a port, a server name; the path of a CA bundle; a throw-away certificate with its key. Leaves: the
certificates a peer showed (DER, hostile), an `ssl.SSLContext`. Must not: judge a certificate (fingerprints are compared
elsewhere), send anything after the handshake, read `SSL_CERT_FILE` and its like.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed
from reconciler.model.text import Foreign

if TYPE_CHECKING:
    from reconciler.model.desired import StartTlsProtocol
    from reconciler.model.text import Secret

# where distributions keep the roots that the machine trusts: Debian, Fedora, Alpine, SUSE, FreeBSD
SYSTEM_BUNDLES: Final = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/usr/local/etc/ssl/cert.pem"),
)
_MOST_CERTIFICATES: Final = 10
_LARGEST_BUNDLE: Final = 16 * 1024 * 1024
_LONGEST_LINE: Final = 1000
_MOST_LINES: Final = 60
# what is said before TLS, how its answer begins, and how lines do that may come before that one; first the greeting
_TALKS: Final[dict[StartTlsProtocol, tuple[tuple[bytes, bytes, bytes | None], ...]]] = {
    "imap": ((b"", b"* OK", None), (b"certwright STARTTLS\r\n", b"certwright OK", b"* ")),
    "pop3": ((b"", b"+OK", None), (b"STLS\r\n", b"+OK", None)),
    "smtp": (
        (b"", b"220 ", b"220-"),
        (b"EHLO certwright.invalid\r\n", b"250 ", b"250-"),
        (b"STARTTLS\r\n", b"220 ", None),
    ),
}
# what OpenSSL says when the answer to a ClientHello is no TLS at all
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG"}
    | {"RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "UNEXPECTED_MESSAGE"}
)
_NOBODY: Final = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.ENETDOWN}
)


@dataclass(frozen=True, slots=True)
class Peer:
    """What a server showed: certificates in DER, leaf first (the leaf alone where Python cannot give more).

    `fingerprint` is the sha256 (hex) of the leaf, `protocol` as OpenSSL says it (`TLSv1.3`); `alpn` what was agreed on.
    """

    chain_der: tuple[bytes, ...]
    fingerprint: str
    protocol: str
    alpn: str | None = None


def handshake(
    address: str,
    port: int,
    sni: str | None,
    *,
    timeout: float,
    alpn: str | None = None,
    starttls: StartTlsProtocol | None = None,
) -> Peer:
    """Shake hands and go away; nothing is verified. All of it within `timeout` seconds.

    `sni` is the name to ask for (RFC 6066 section 3), None for a client that names none; `alpn` the
    one protocol to offer (RFC 7301); `starttls` the protocol that is spoken until TLS begins (RFC 9051 section 6.2.1,
    RFC 2595 section 4, RFC 3207). Raises Failed: NothingListens, NoTls (something answers, but no TLS),
    HandshakeFailed, Timeout.
    """
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    deadline = time.monotonic() + timeout
    try:
        # what Python does to the name later, but then too late to close the socket
        (sni or "").encode("idna")
        with socket.create_connection((address, port), timeout=timeout) as plain:
            if starttls is not None:
                _ask_for_tls(plain, place, starttls, deadline)
            plain.settimeout(_left(deadline))
            context = _looking(alpn)
            plain.getpeername()  # of a connection that was reset by now Python would leave its socket open
            with context.wrap_socket(plain, server_hostname=sni or None) as wrapped:
                return _peer(wrapped)
    except TimeoutError:
        raise Failed("Timeout", f"no TLS handshake with {place} within {timeout:g} s") from None
    except ssl.SSLError as error:
        raise _no_handshake(place, error) from None
    except OSError as error:
        if isinstance(error, socket.gaierror):
            raise Failed("NothingListens", f"nothing listens at {place}: no address of that name is known") from None
        if error.errno in _NOBODY:
            raise Failed("NothingListens", f"nothing listens at {place}") from None
        raise Failed("HandshakeFailed", f"{place} closed the connection during the handshake") from None
    except ValueError:
        raise Failed("HandshakeFailed", f"the name to ask {place} for cannot stand in a handshake") from None


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _ask_for_tls(plain: socket.socket, place: str, protocol: StartTlsProtocol, deadline: float) -> None:
    """Talk until TLS may begin. What the other side sends after its last answer is left to the handshake to refuse."""
    for said, good, before in _TALKS[protocol]:
        if said:
            plain.sendall(said)
        lines = _MOST_LINES
        while True:
            line, lines = _line(plain, deadline), lines - 1
            if line.upper().startswith(good.upper()):
                break
            if lines < 1 or before is None or not line.startswith(before) or not line.endswith(b"\n"):
                what = "refuses to begin TLS" if said else f"does not greet as {protocol} does"
                raise Failed("NoTls", f"{place} {what}: {Foreign(line.strip()).shown(100) or 'it said nothing'}")


def _line(plain: socket.socket, deadline: float) -> bytes:
    """Read one line, no more than that; as much as there is of one that is too long or has no end."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        plain.settimeout(_left(deadline))
        there = plain.recv(_LONGEST_LINE - len(line), socket.MSG_PEEK)
        if not there:
            break
        line += plain.recv(there.find(b"\n") + 1 or len(there))
    return line


def _no_handshake(place: str, error: ssl.SSLError) -> Failed:
    if error.reason in _NOT_TLS:
        return Failed("NoTls", f"{place} answers, but without TLS")
    return Failed("HandshakeFailed", f"{place} refused the TLS handshake ({error.reason or 'connection closed'})")


def _looking(alpn: str | None = None) -> ssl.SSLContext:
    """Give a context that accepts any certificate: what is served is looked at, never trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if alpn is not None:
        context.set_alpn_protocols([alpn])
    return context


def _peer(wrapped: ssl.SSLSocket) -> Peer:
    leaf = wrapped.getpeercert(binary_form=True)
    if leaf is None:
        raise Failed("HandshakeFailed", "the server showed no certificate")
    chain = _chain(wrapped) or (leaf,)
    return Peer(chain, hashlib.sha256(leaf).hexdigest(), wrapped.version() or "", wrapped.selected_alpn_protocol())


def _chain(wrapped: ssl.SSLSocket) -> tuple[bytes, ...]:
    """Give the chain as sent: public from Python 3.13 on, before that by the object beneath, if it is there."""
    public = getattr(wrapped, "get_unverified_chain", None)
    if public is not None:
        return tuple(public())[:_MOST_CERTIFICATES]
    beneath = getattr(getattr(wrapped, "_sslobj", None), "get_unverified_chain", None)
    shown = (beneath() if beneath is not None else None) or ()
    # _ssl.ENCODING_DER is 2
    return tuple(certificate.public_bytes(2) for certificate in shown[:_MOST_CERTIFICATES])


def server_context(certificate_pem: bytes, key: Secret, alpn: str) -> ssl.SSLContext:
    """Give a context that shows this certificate and speaks this protocol alone. Raises Failed(TlsUnusable).

    Python takes certificates from files only: they stand in one that has no name and ends with the call.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.set_alpn_protocols([alpn])
    try:
        fd = os.memfd_create("certwright", os.MFD_CLOEXEC)
        try:
            os.write(fd, certificate_pem + key.reveal())
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
    except (OSError, AttributeError):
        raise Failed(
            "TlsUnusable", "this machine cannot make the certificate of a challenge: no memfd or /proc"
        ) from None
    return context


def unloadable(certificates_pem: bytes, key: Secret) -> str | None:
    """Tell why OpenSSL would not load a pair into a server (PEM, leaf first), None if it would.

    It refuses what parses well: a key too small, a digest too weak, a chain that is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        fd = os.memfd_create("certwright", os.MFD_CLOEXEC)
    except (OSError, AttributeError):
        return None  # this machine has no way to ask
    try:
        os.write(fd, certificates_pem + key.reveal())
        context.load_cert_chain(f"/proc/self/fd/{fd}", password="")
    except ssl.SSLError as error:
        return f"OpenSSL does not load it ({(error.reason or 'no reason given').replace('_', ' ').lower()})"
    except OSError:
        return None
    finally:
        os.close(fd)
    return None


def client_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Give a verifying context: TLS 1.2 or newer, the roots of `ca_bundle` (PEM) alone, or the system's if None.

    No environment variable is asked. Built once for each content of the bundle; callers must not change it.
    Raises Failed(CaBundleUnreadable).
    """
    path = ca_bundle if ca_bundle is not None else _system_bundle()
    try:
        stat = path.stat()
        if not path.is_file() or stat.st_size > _LARGEST_BUNDLE:
            raise _unreadable(path, "it is not a file of a sensible size")
        return _context(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    except ssl.SSLError:
        raise _unreadable(path, "it holds no certificate in PEM") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be opened") from None


@lru_cache(maxsize=16)
def _context(path: Path, _signature: tuple[int, int, int]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=str(path))
    return context


def _system_bundle() -> Path:
    found = next((path for path in SYSTEM_BUNDLES if path.is_file()), None)
    if found is not None:
        return found
    try:
        import certifi
    except ImportError:
        raise _unreadable(SYSTEM_BUNDLES[0], "this machine has no list of trusted roots") from None
    return Path(certifi.where())


def _unreadable(path: Path, why: str) -> Failed:
    return Failed("CaBundleUnreadable", f"the CA bundle {path} cannot be used: {why}")
