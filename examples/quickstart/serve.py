"""A small TLS server: every `DIRECTORY/*.pem` (private key, then certificates) is shown to those who ask for its names.

python serve.py DIRECTORY --port 8443 --pid-file FILE      SIGHUP reads the files anew, SIGTERM ends it
"""

from __future__ import annotations

import argparse
import os
import signal
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    import socket
    from types import FrameType

_PATIENCE = 10.0


class Certificates:
    """The TLS contexts by hostname; `read` takes up new files, and leaves what is in use if one of them is broken."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.sni_callback = self._choose

    def read(self) -> None:
        found: dict[str, ssl.SSLContext] = {}
        for path in sorted(self._directory.glob("[!.]*.pem")):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            found.update(dict.fromkeys(_names(path), context))
        self._by_name = found
        print(f"serve.py: {', '.join(sorted(found)) or 'no certificate yet'}", flush=True)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        chosen = self._by_name.get((name or "").lower())
        if chosen is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = chosen
        return None


def _names(path: Path) -> list[str]:
    leaf = x509.load_pem_x509_certificates(path.read_bytes())[0]
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


class Handler(BaseHTTPRequestHandler):
    """Greets."""

    timeout = _PATIENCE

    def do_GET(self) -> None:
        body = f"Welcome to {self.headers.get('Host', 'nowhere')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  named by http.server
        """Say nothing: the tour is about certificates."""


class Server(ThreadingHTTPServer):
    """Shakes hands in the thread of the connection, so that a slow client stops nobody."""

    daemon_threads = True

    def __init__(self, port: int, certificates: Certificates) -> None:
        self.certificates = certificates
        super().__init__(("127.0.0.1", port), Handler)

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, tuple):
            return
        request.settimeout(_PATIENCE)
        try:
            with self.certificates.context.wrap_socket(request, server_side=True) as tls:
                Handler(tls, client_address, self)
        except OSError:  # the client went away, or asked for a name that is not here
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--pid-file", type=Path)
    given = parser.parse_args()
    certificates = Certificates(given.directory)

    def reread(_signal: int, _frame: FrameType | None) -> None:
        try:
            certificates.read()
        except (OSError, ValueError, x509.ExtensionNotFound) as error:
            print(f"serve.py: the former certificates stay in use: {error}", file=sys.stderr, flush=True)

    reread(signal.SIGHUP, None)
    with Server(given.port, certificates) as server:
        signal.signal(signal.SIGHUP, reread)
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        if given.pid_file:
            given.pid_file.write_text(f"{os.getpid()}\n")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            if given.pid_file:
                given.pid_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
