"""`ca/<name>/`: the embedded private CA, key and certificate, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Conflict, StoreError
from reconciler.store import reading
from reconciler.store.part import Part

if TYPE_CHECKING:
    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret


class Authorities(Part):
    """Reads and writes embedded CAs. Half of one is an error: a new root in its place would be trusted by nobody."""

    def ca(self, name: str) -> tuple[Secret, bytes] | None:
        """Give the embedded CA's key and certificate (PEM), None before its first use."""
        folder = self._layout.ca(name)
        if not reading.exists(folder):
            return None
        key, certificate = self._secret(f"{folder}/key.pem"), reading.read(f"{folder}/certificate.pem")
        if key is None or certificate is None:
            lost = "key.pem" if key is None else "certificate.pem"
            raise StoreError(
                f"{folder}/{lost} is missing; restore it from a backup, or move {folder} away to make a new CA"
            )
        return key, certificate

    def put_ca(self, lease: Lease, name: str, key: Secret, certificate: bytes) -> None:
        """Keep the embedded CA, both files by one rename. Conflict if another one is there."""
        self._check(lease, "account/")
        present = self.ca(name)
        if present is None:
            self._scratch.write_directory(
                self._layout.ca(name), {"key.pem": key.reveal(), "certificate.pem": certificate}
            )
        elif present != (key, certificate):
            raise Conflict(
                f"a private CA named {name} is there already; move {self._layout.ca(name)} away to replace it"
            )
