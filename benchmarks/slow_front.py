"""A TLS proxy that passes every answer on so many milliseconds later: `python -m benchmarks.slow_front ...`.

A process of its own, so that its work is not taken for the client's. It keeps the Host header, by which Pebble builds
its URLs, and one connection to the CA for each of the client's.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from contextlib import suppress


async def _message(reader: asyncio.StreamReader, *, body: bool = True) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(sizes[0]) if sizes and body else 0)


async def _serve(arguments: argparse.Namespace) -> None:
    inner = ssl.create_default_context(cafile=arguments.bundle)
    outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    outer.load_cert_chain(arguments.certificate, arguments.key)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            behind, to_ca = await asyncio.open_connection("127.0.0.1", arguments.ca, ssl=inner)
            try:
                while True:
                    asked = await _message(reader)
                    to_ca.write(asked)
                    answer = await _message(behind, body=not asked.startswith(b"HEAD "))
                    await asyncio.sleep(arguments.delay)
                    writer.write(answer)
            finally:
                to_ca.close()
                writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", arguments.port, ssl=outer, backlog=256)
    async with server:
        await server.serve_forever()


def main() -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=int, required=True, help="the port of the CA")
    parser.add_argument("--bundle", required=True, help="what the CA's certificate is verified by")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--delay", type=float, required=True, help="seconds added to each answer")
    asyncio.run(_serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
