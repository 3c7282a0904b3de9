"""Certificates for the servers of the tests themselves (the CA's own HTTPS, the front), each by a throwaway CA."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """Files in PEM: what a server shows, and the CA bundle with which a client trusts it."""

    certificate: Path
    key: Path
    bundle: Path

    def server_context(self) -> ssl.SSLContext:
        """Give a context for a server with this identity."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Give a context that trusts this CA and no other, whatever the environment says."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.bundle)
        return context


def make_identity(directory: Path, *names: str) -> Identity:
    """Make a CA and a certificate for `names` (hostnames or addresses) in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    leaf = authority.issue_cert(*names)
    identity = Identity(directory / "server.pem", directory / "server.key", directory / "ca.pem")
    authority.cert_pem.write_to_path(str(identity.bundle))
    leaf.private_key_pem.write_to_path(str(identity.key))
    identity.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    return identity
