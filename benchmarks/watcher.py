"""Looks at one name of a server on loopback, again and again: `python -m benchmarks.watcher PORT NAME FINGERPRINT`.

Prints an empty line with the first look, and the monotonic time of the first that shows the certificate.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import sys
import time
from contextlib import suppress
from typing import Final

_PATIENCE: Final = 180.0
_PAUSE: Final = 0.002


def main(port: int, name: str, fingerprint: str) -> int:
    """Look until it is shown; 1 if it is not in time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    end = time.monotonic() + _PATIENCE
    print(flush=True)
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname=name) as wrapped:
                leaf = wrapped.getpeercert(binary_form=True) or b""
            if hashlib.sha256(leaf).hexdigest() == fingerprint:
                print(time.monotonic(), flush=True)
                return 0
        time.sleep(_PAUSE)
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
