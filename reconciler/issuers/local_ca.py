"""The embedded private CA: made on first use and kept in the store, or brought by its owner."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.issuers.offline import checked

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.issuers.means import Means
    from reconciler.model.desired import CaIssuer as Spec
    from reconciler.model.ports import Desk, Issued, Request
    from reconciler.model.text import Secret

_CA_LIFETIME: Final = timedelta(days=3650)
_BACKDATE: Final = timedelta(hours=1)
_WAIT: Final = 30.0


class CaIssuer:
    """An Issuer of type `ca`. The names in a request are taken at their word: who may write manifests is the CA."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self.spec, self._means = spec, means

    def register(self) -> None:
        """Nothing: there is no account; the CA itself is made with the first certificate."""

    def obtain(self, request: Request, desk: Desk) -> Issued:
        """Give a certificate for the desk's key; it ends with the CA at the latest.

        The chain holds a brought CA's certificates; a made CA is a root, which a server need not send. Raises Failed:
        CaExpired, KeyMismatch (a brought key that is not the CA's), UnreadableKey, UnreadableCertificate, and those
        of `doors.files`; HeldBy if another process makes the CA for half a minute.
        """
        now = self._means.clock.now()
        csr = x509.make_csr(desk.key(), request.hostnames)
        try:
            key, certificates = self._brought() or self._made()
            self._check(certificates, now)
            before, after = now - _BACKDATE, now + self.spec.lifetime
            leaf = x509.sign(key, certificates, csr, request.hostnames, not_before=before, not_after=after)
        except Failed as failure:
            if type(failure) is not Failed:  # of a file, which it names
                raise
            raise Failed(failure.reason, f"{self._place}: {failure}", blame=failure.blame) from None
        chain = b"" if self.spec.certificate is None else certificates
        return checked((desk.key(), leaf), chain, request.hostnames, now, root=certificates)

    def _check(self, certificates: bytes, now: datetime) -> None:
        ends = x509.facts(certificates).not_after
        if ends <= now:
            raise Failed("CaExpired", f"it expired at {ends:%Y-%m-%d %H:%M} UTC")

    @property
    def _place(self) -> str:
        """Say whose certificate and key are at fault, and where they stand."""
        kept = f"ca/{self.spec.name} in the state directory"
        return f"the CA of issuer {self.spec.name} ({self.spec.certificate or kept})"

    def _made(self) -> tuple[Secret, bytes]:
        store = self._means.store
        found = store.ca(self.spec.name)
        if found is not None:
            return found
        with store.claim(f"account/ca/{self.spec.name}", "issue", _WAIT) as lease:
            # another process may have made it while we waited
            found = store.ca(self.spec.name)
            if found is None:
                now = self._means.clock.now()
                found = x509.new_ca(self.spec.common_name, self.spec.algorithm, _CA_LIFETIME, now)
                store.put_ca(lease, self.spec.name, *found)
            return found

    def _brought(self) -> tuple[Secret, bytes] | None:
        if self.spec.certificate is None or self.spec.key is None:
            return None
        certificates = x509.read_chain(files.read_file(self.spec.certificate, follow=True), blame="local")
        return self._means.read_secret(self.spec.key, "key"), certificates.fullchain_pem
