"""Pebble: an ACME server (RFC 8555) made for tests. A restart loses its state and renews its CA: a rebuilt CA."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.https import Answer, request
from tests.servers.identity import Identity, make_identity
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import program, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How Pebble behaves. One profile only: with several and none asked for it picks one by chance.

    `nonce_reject` and `authz_reuse` are percentages; `validity` is in seconds; `retry_after` are its seconds for an
    authorization and an order that are not ready; `settings` are added to its configuration (domainBlocklist,
    externalAccountBindingRequired ...).
    """

    nonce_reject: int = 0
    authz_reuse: int = 0
    always_valid: bool = False
    sleep: bool = False
    alternate_roots: int = 0
    chain_length: int = 1
    orders_per_page: int | None = None
    validity: int = 90 * DAY
    retry_after: tuple[int, int] = (1, 1)
    http_port: int | None = None
    tls_port: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Give the options that Pebble reads from its environment."""
        knobs = {
            "PEBBLE_WFE_NONCEREJECT": str(self.nonce_reject),
            "PEBBLE_AUTHZREUSE": str(self.authz_reuse),
            "PEBBLE_ALTERNATE_ROOTS": str(self.alternate_roots),
            "PEBBLE_CHAIN_LENGTH": str(self.chain_length),
        }
        if not self.sleep:
            knobs["PEBBLE_VA_NOSLEEP"] = "1"
        if self.always_valid:
            knobs["PEBBLE_VA_ALWAYS_VALID"] = "1"
        if self.orders_per_page is not None:
            knobs["PEBBLE_WFE_ORDERS_PER_PAGE"] = str(self.orders_per_page)
        return knobs


@dataclass(frozen=True, slots=True)
class Pebble:
    """A running Pebble. It validates at `http_port` (http-01) and `tls_port` (tls-alpn-01) of what DNS gives."""

    address: str
    port: int
    management_port: int
    http_port: int
    tls_port: int
    identity: Identity
    directory_path: Path
    process: subprocess.Popen[bytes]

    @property
    def directory(self) -> str:
        """The ACME directory's URL."""
        return f"https://{self.address}:{self.port}/dir"

    @property
    def management(self) -> str:
        """The management interface's URL."""
        return f"https://{self.address}:{self.management_port}"

    @property
    def bundle(self) -> Path:
        """The CA bundle that verifies Pebble's own HTTPS (an Issuer's `caBundle`), not the root of what it issues."""
        return self.identity.bundle

    @property
    def log(self) -> Path:
        """What Pebble prints."""
        return self.directory_path / "pebble.log"

    def get(self, url: str) -> Answer:
        """Fetch a URL of Pebble, its HTTPS verified."""
        return request(url, context=self.identity.client_context())

    def root_pem(self, number: int = 0) -> bytes:
        """Give the root of issued chains (`number` > 0: an alternate one). New at each start."""
        answer = self.get(f"{self.management}/roots/{number}")
        assert answer.status == 200, answer
        return answer.body

    def write_root(self, path: Path, number: int = 0) -> Path:
        """Write the root of issued chains to `path`, for clients of the servers that show them."""
        path.write_bytes(self.root_pem(number))
        return path

    def set_renewal_info(self, certificate_pem: str, renewal_info: str) -> Answer:
        """Set the ARI answer (RFC 9773) for a certificate; `renewal_info` is JSON text, served as it is."""
        body = json.dumps({"Certificate": certificate_pem, "ARIResponse": renewal_info}).encode()
        return request(
            f"{self.management}/set-renewal-info/", method="POST", body=body, context=self.identity.client_context()
        )


@contextmanager
def pebble(directory: Path, dns: str, options: Options | None = None, *, address: str = LOOPBACK) -> Iterator[Pebble]:
    """Run Pebble with its files in `directory`, asking the DNS server `dns` (`ADDRESS:PORT`)."""
    options = options or Options()
    identity = make_identity(directory / "tls", address, "localhost")
    server, management = free_port(address), free_port(address)
    http_port = options.http_port or free_port(address)
    tls_port = options.tls_port or free_port(address)
    settings = {
        "listenAddress": f"{address}:{server}",
        "managementListenAddress": f"{address}:{management}",
        "certificate": str(identity.certificate),
        "privateKey": str(identity.key),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "domainBlocklist": ["blocked.test"],
        "retryAfter": dict(zip(("authz", "order"), options.retry_after, strict=True)),
        "keyAlgorithm": "ecdsa",  # at once; RSA takes a second
        "profiles": {"default": {"description": "The only one", "validityPeriod": options.validity}},
        **options.settings,
    }
    config = directory / "pebble.json"
    config.write_text(json.dumps({"pebble": settings}, indent=2))
    context = identity.client_context()

    def ready() -> bool:
        try:
            return request(f"https://{address}:{server}/dir", context=context).status == 200
        except OSError:
            return False

    argv = [program("pebble"), "-config", str(config), "-dnsserver", dns, "-strict"]
    with running(argv, log=directory / "pebble.log", ready=ready, env=options.environment()) as process:
        yield Pebble(address, server, management, http_port, tls_port, identity, directory, process)
