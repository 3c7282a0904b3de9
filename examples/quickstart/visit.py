"""A client that knows nothing of certwright: asks a server on this machine for a name, and believes one CA only.

python visit.py ROOT.pem PORT NAME...      exit 1 if one does not answer with a certificate of its own
"""

from __future__ import annotations

import socket
import ssl
import sys


def visit(root: str, port: int, name: str) -> str:
    """Ask for `https://name:port/`, and tell what the certificate says."""
    context = ssl.create_default_context(cafile=root)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        leaf = tls.getpeercert() or {}
        tls.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        with tls.makefile("rb") as answer:
            status, greeting = answer.readline().decode().split()[1], answer.read().decode().splitlines()[-1]
    names = ", ".join(str(entry[1]) for entry in leaf.get("subjectAltName", ()) if entry[0] == "DNS")
    return f"https://{name}:{port}/  {status} {greeting}\n    certificate for {names}; until {leaf['notAfter']}"


def main(arguments: list[str]) -> int:
    if len(arguments) < 3:  # noqa: PLR2004  root, port, name
        print(__doc__, file=sys.stderr)
        return 2
    root, port, *names = arguments
    failures = 0
    for name in names:
        try:
            print(visit(root, int(port), name))
        except (OSError, IndexError) as error:
            failures += 1
            print(f"https://{name}:{port}/  {error}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
