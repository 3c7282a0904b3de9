"""Looks at one name of a server on loopback, again and again: `python -m benchmarks.watcher PORT NAME FINGERPRINT`.

Prints an empty line with the first look, the monotonic time of the first that shows the certificate, and half a second
later how many looks failed and how many seconds the longest took.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import sys
import time
from typing import Final

_PATIENCE: Final = 180.0
_AFTER: Final = 0.5
_PAUSE: Final = 0.002


def main(port: int, name: str, fingerprint: str) -> int:
    """Look until it is shown, and a little longer; 1 if it is not shown in time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    end = time.monotonic() + _PATIENCE
    shown = failed = 0
    longest = 0.0
    print(flush=True)
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            seen = _look(context, port, name)
        except OSError:
            failed, seen = failed + 1, ""
        longest = max(longest, time.monotonic() - began)
        if seen == fingerprint and not shown:
            shown = 1
            end = time.monotonic() + _AFTER
            print(time.monotonic(), flush=True)
        time.sleep(_PAUSE)
    print(failed, longest, flush=True)
    return 0 if shown else 1


def _look(context: ssl.SSLContext, port: int, name: str) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name) as wrapped,
    ):
        return hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
