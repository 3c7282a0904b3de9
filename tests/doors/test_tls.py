from __future__ import annotations

import hashlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import tls, x509
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOOPBACK = "127.0.0.1"
NOW = datetime.now(UTC)


@cache
def material() -> tuple[bytes, bytes, bytes]:
    """Give root, leaf for a.example and 127.0.0.1, and key; PEM."""
    ca_key, root = x509.new_ca("test root", "ecdsa-p256", timedelta(days=9), NOW)
    key, names = x509.new_key("ecdsa-p256"), ["a.example", LOOPBACK]
    csr = x509.make_csr(key, names)
    leaf = x509.sign(ca_key, root, csr, names, not_before=NOW - timedelta(hours=1), not_after=NOW + timedelta(days=1))
    return root, leaf, key.reveal()


def server_context(directory: Path) -> ssl.SSLContext:
    root, leaf, key = material()
    (directory / "pair.pem").write_bytes(key + leaf + root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "pair.pem")
    return context


@contextmanager
def listening(serve: Callable[[socket.socket], None], family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """Accept connections one by one, each handed to `serve`."""
    with socket.socket(family) as listener:
        listener.bind(("::1" if family == socket.AF_INET6 else LOOPBACK, 0))
        listener.listen()
        listener.settimeout(10)

        def run() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        serve(connection)
            except OSError:
                return

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def speaking(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            return

    return serve


def failure(port: int, seconds: float = 5.0) -> str:
    with pytest.raises(Failed) as caught:
        tls.handshake(LOOPBACK, port, "a.example", timeout=seconds)
    assert caught.value.blame == "local"
    assert str(port) in str(caught.value)
    return caught.value.reason


def test_it_shows_what_the_server_serves_and_trusts_nothing(tmp_path: Path) -> None:
    _, leaf, _ = material()
    with listening(speaking(server_context(tmp_path))) as port:
        peer = tls.handshake(LOOPBACK, port, "quite.another.example", timeout=5)
    assert peer.protocol == "TLSv1.3"
    assert peer.fingerprint == x509.facts(leaf).fingerprint == hashlib.sha256(peer.chain_der[0]).hexdigest()


def test_it_gives_the_whole_chain_as_sent(tmp_path: Path) -> None:
    root, leaf, _ = material()
    with listening(speaking(server_context(tmp_path))) as port:
        peer = tls.handshake(LOOPBACK, port, None, timeout=5)
    assert [x509.facts(der).fingerprint for der in peer.chain_der] == [
        x509.facts(leaf).fingerprint,
        x509.facts(root).fingerprint,
    ]


def test_the_name_asked_for_is_sent_as_it_is(tmp_path: Path) -> None:
    asked: list[str | None] = []
    context = server_context(tmp_path)
    context.sni_callback = lambda _connection, name, _context: asked.append(name)
    with listening(speaking(context)) as port:
        for name in ("a.example", "xn--bcher-kva.example", None):
            tls.handshake(LOOPBACK, port, name, timeout=5)
    assert asked == ["a.example", "xn--bcher-kva.example", None]


def test_a_name_that_cannot_be_asked_for_is_a_failure(tmp_path: Path) -> None:
    with listening(speaking(server_context(tmp_path))) as port, pytest.raises(Failed) as caught:
        tls.handshake(LOOPBACK, port, "a" * 64 + ".example", timeout=5)
    assert caught.value.reason == "HandshakeFailed"


def test_both_families_work(tmp_path: Path) -> None:
    with listening(speaking(server_context(tmp_path)), socket.AF_INET6) as port:
        assert tls.handshake("::1", port, "a.example", timeout=5).protocol == "TLSv1.3"


def test_a_closed_port_is_nobody_listening() -> None:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    assert failure(port) == "NothingListens"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b"x" * 999])
def test_an_answer_without_tls_is_named_so(greeting: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting)
        connection.recv(4096)

    with listening(serve) as port:
        assert failure(port) == "NoTls"


def test_a_server_that_hangs_up_or_has_no_certificate_fails_the_handshake() -> None:
    with listening(lambda connection: connection.close()) as port:
        assert failure(port) == "HandshakeFailed"
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with listening(speaking(bare)) as port:
        assert failure(port) == "HandshakeFailed"


def test_a_protocol_older_than_tls_1_2_fails_the_handshake(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(speaking(context)) as port:
        assert failure(port) == "HandshakeFailed"


def test_silence_and_drips_end_at_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        # the header of a handshake record, then a byte now and then: no single read is ever late
        connection.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(50):
            time.sleep(0.1)
            connection.sendall(b"\x02")

    with listening(lambda connection: time.sleep(1) if connection.recv(1) else None) as port:
        assert failure(port, 0.3) == "Timeout"
    with listening(drip) as port:
        start = time.monotonic()
        assert failure(port, 0.5) == "Timeout"
        assert time.monotonic() - start < 2


def test_a_client_context_verifies_by_the_named_bundle_alone(tmp_path: Path) -> None:
    bundle = tmp_path / "root.pem"
    bundle.write_bytes(material()[0])
    ours, system = tls.client_context(bundle), tls.client_context(None)
    with listening(speaking(server_context(tmp_path))) as port:
        with socket.create_connection((LOOPBACK, port)) as plain, ours.wrap_socket(plain, server_hostname="a.example"):
            pass
        with (
            socket.create_connection((LOOPBACK, port)) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
            system.wrap_socket(plain, server_hostname="a.example"),
        ):
            pass


def test_a_context_is_built_once_and_again_when_the_bundle_changes(tmp_path: Path) -> None:
    bundle = tmp_path / "root.pem"
    bundle.write_bytes(material()[0])
    first = tls.client_context(bundle)
    assert tls.client_context(bundle) is first
    bundle.write_bytes(material()[0] * 2)
    assert tls.client_context(bundle) is not first
    assert first.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_bundle_that_cannot_be_used_is_a_failure_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "text.pem").write_bytes(b"hello\n")
    os.mkfifo(tmp_path / "fifo.pem")
    for name in ("missing.pem", "empty.pem", "text.pem", "fifo.pem", "."):
        with pytest.raises(Failed, match=str(tmp_path)) as caught:
            tls.client_context(tmp_path / name)
        assert caught.value.reason == "CaBundleUnreadable"


def test_the_environment_changes_no_context(tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.pem"
    hostile.write_bytes(material()[0])
    code = (
        "from reconciler.doors import tls; c = tls.client_context(None);"
        "print(len(c.get_ca_certs()), any('test root' in str(r) for r in c.get_ca_certs()), c.keylog_filename)"
    )
    env = {"SSL_CERT_FILE": str(hostile), "SSL_CERT_DIR": str(tmp_path), "SSLKEYLOGFILE": str(tmp_path / "keys")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    count, found, keylog = done.stdout.split()
    assert int(count) > 10
    assert (found, keylog) == ("False", "None")


def test_a_connection_that_is_reset_at_once_leaves_no_socket_open() -> None:
    """Any that Python leaves open is told as an error of the test."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def reset() -> None:
            for _ in range(20):
                client, _ = listener.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()

        answering = threading.Thread(target=reset)
        answering.start()
        for _ in range(20):
            with pytest.raises(Failed, match="closed the connection during the handshake"):
                tls.handshake(LOOPBACK, listener.getsockname()[1], "a.example", timeout=2)
        answering.join()
