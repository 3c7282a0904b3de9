"""The least that gets a certificate: asyncio streams and `cryptography`, no checks, nothing on disk unless told to.

What it costs beside the CA is what any client must spend. It asks as often as we do: of a proof after our own first
pause, which grows as ours does, of a certificate at once. Told to keep what it gets, it writes and syncs what no client
may lose: the order's URL before it goes on, the key before the CA has it signed, the chain.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from reconciler.issuers.acme import pacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_P256 = 32
_PATIENCE = 10.0


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _b64(numbers.x.to_bytes(_P256, "big")),
        "y": _b64(numbers.y.to_bytes(_P256, "big")),
    }


@dataclass
class Account:
    """The key, its URL once registered, and the answers that the responder gives."""

    directory: str
    context: ssl.SSLContext
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    urls: dict[str, str] = field(default_factory=dict)
    kid: str | None = None
    answers: dict[bytes, bytes] = field(default_factory=dict)
    keep: Path | None = None

    def __post_init__(self) -> None:
        self.jwk = _jwk(self.key)
        text = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        self.thumbprint = _b64(hashlib.sha256(text.encode()).digest())

    def signed(self, url: str, nonce: str, payload: bytes) -> bytes:
        """Make a flattened JWS with ES256 (RFC 7515 section 7.2.2)."""
        who = {"kid": self.kid} if self.kid else {"jwk": self.jwk}
        protected = _b64(json.dumps({"alg": "ES256", "nonce": nonce, "url": url, **who}).encode())
        content = _b64(payload)
        r, s = decode_dss_signature(self.key.sign(f"{protected}.{content}".encode(), ec.ECDSA(hashes.SHA256())))
        signature = _b64(r.to_bytes(_P256, "big") + s.to_bytes(_P256, "big"))
        return json.dumps({"protected": protected, "payload": content, "signature": signature}).encode()


class Line:
    """One kept-alive connection with its nonce."""

    def __init__(self, account: Account) -> None:
        self.account, self.nonce = account, ""
        self._host, _, port = account.directory.removeprefix("https://").partition("/")[0].partition(":")
        self._port = int(port)

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self.account.context)

    async def exchange(self, method: str, url: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        path = url[url.index("/", 8) :]
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nUser-Agent: raw\r\n"
        if body:
            head += f"Content-Type: application/jose+json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(f"{head}\r\n".encode() + body)
        async with asyncio.timeout(_PATIENCE):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            size = 0 if method == "HEAD" else int(headers.get("content-length", 0))
            content = await self._reader.readexactly(size)
        status = int(lines[0].split(" ", 2)[1])
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {url}: {status} {content[:300]!r}")
        self.nonce = headers.get("replay-nonce", "")
        return headers, content

    async def post(self, url: str, payload: object = None) -> tuple[dict[str, str], Any]:
        """Ask as the account; without a payload POST-as-GET."""
        if not self.nonce:
            await self.exchange("HEAD", self.account.urls["newNonce"])
        raw = b"" if payload is None else json.dumps(payload).encode()
        headers, content = await self.exchange("POST", url, self.account.signed(url, self.nonce, raw))
        return headers, json.loads(content) if "json" in headers.get("content-type", "") else content

    async def until(self, url: str, wanted: str, pause: float = 0.0) -> dict[str, Any]:
        """Ask after the pause until the object has the status."""
        while True:
            await asyncio.sleep(pause)
            pause = max(pause * pacing.GROWTH, pacing.FIRST)
            _, found = await self.post(url)
            if found["status"] == wanted:
                answer: dict[str, Any] = found
                return answer
            if found["status"] == "invalid":
                raise RuntimeError(f"{url}: {found}")

    async def certificate(self, name: str) -> bytes:
        """Order, prove, finalize, download."""
        urls, account = self.account.urls, self.account
        headers, order = await self.post(urls["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
        self.kept(name, "url", headers["location"].encode())
        for url in order["authorizations"]:
            _, authorization = await self.post(url)
            one = next(challenge for challenge in authorization["challenges"] if challenge["type"] == "http-01")
            account.answers[one["token"].encode()] = f"{one['token']}.{account.thumbprint}".encode()
            await self.post(one["url"], {})
            await self.until(url, "valid", pacing.FIRST)
        key = ec.generate_private_key(ec.SECP256R1())
        kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.kept(name, "key", key.private_bytes(serialization.Encoding.PEM, *kept))
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
        der = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        await self.post(order["finalize"], {"csr": _b64(der)})
        order = await self.until(headers["location"], "valid")
        _, chain = await self.post(order["certificate"])
        self.kept(name, "chain", bytes(chain))
        return bytes(chain)

    def kept(self, name: str, what: str, content: bytes) -> None:
        """Write a file into the directory of the name, and sync both, if anything is to be kept."""
        if self.account.keep is None:
            return
        folder = self.account.keep / name
        folder.mkdir(exist_ok=True)
        with (folder / what).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        self._writer.close()


async def _respond(account: Account, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    answer = account.answers[request.split(b" ", 2)[1].rpartition(b"/")[2]]
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
    await writer.drain()
    writer.close()


async def _run(account: Account, http_port: int, names: Sequence[str], lines: int) -> float:
    server = await asyncio.start_server(lambda *ends: _respond(account, *ends), "127.0.0.1", http_port)
    opened = [Line(account) for _ in range(lines)]
    for line in opened:
        await line.open()
    account.urls = json.loads((await opened[0].exchange("GET", account.directory))[1])
    headers, _ = await opened[0].post(account.urls["newAccount"], {"termsOfServiceAgreed": True})
    account.kid = headers["location"]
    waiting = list(reversed(names))

    async def work(line: Line) -> None:
        while waiting:
            if b"BEGIN CERTIFICATE" not in await line.certificate(waiting.pop()):
                raise RuntimeError("no certificate came")

    began = time.perf_counter()
    await asyncio.gather(*(work(line) for line in opened))
    spent = time.perf_counter() - began
    for line in opened:
        line.close()
    server.close()
    return spent


def run(
    directory: str, bundle: Path, http_port: int, names: Sequence[str], lines: int = 4, keep: Path | None = None
) -> tuple[float, float]:
    """Obtain a certificate for each name over `lines` connections; give wall and CPU seconds of this process."""
    context = ssl.create_default_context(cafile=os.fspath(bundle))
    cpu = time.process_time()
    spent = asyncio.run(_run(Account(directory, context, keep=keep), http_port, names, lines))
    return spent, time.process_time() - cpu
