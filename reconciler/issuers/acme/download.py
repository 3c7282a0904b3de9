"""Fetching a certificate with the chain that was asked for (RFC 8555 section 7.4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.errors import Failed, Transient
from reconciler.issuers.acme.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.doors.x509 import Chain
    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.issuers.acme.transport import Answer
    from reconciler.model.observed import CertificateFacts

    Found = tuple[Chain, CertificateFacts]
    Check = Callable[[Chain], CertificateFacts]

_MOST_ALTERNATES: Final = 5
_ALTERNATE: Final = re.compile(r"<([\x21-\x3d\x3f-\x7e]{1,2000})>\s*;[^,<]*\brel=\"?alternate\"?", re.ASCII)


class Download:
    """Fetches one certificate. `check` judges a chain, and raises Failed; `say` tells a person."""

    def __init__(self, session: Session, signer: Signer, check: Check, say: Callable[[str], None]) -> None:
        self._session, self._signer, self._check, self._say = session, signer, check, say

    def fetch(self, url: str, preferred: str | None) -> Found:
        """Give the checked chain, re-encoded; of several the one whose top a CA of the common name `preferred` signed.

        Where none is, or none that can be used, it is the CA's own choice, and that is said. Raises for that one alone:
        Failed (UnreadableCertificate, CaMisbehaves, those of `check` ...), Refused, Transient; Waiting(InFlight).
        """
        answer = self._session.post(url, b"", self._signer, "chain")
        first = x509.read_chain(answer.body)
        facts = self._check(first)
        if preferred is None or _ends_at(first, preferred):
            return first, facts
        return self._alternate(_alternates(answer), preferred) or (first, facts)

    def _alternate(self, urls: list[str], preferred: str) -> Found | None:
        why = ""
        for url in urls:
            try:
                chain = x509.read_chain(self._session.post(url, b"", self._signer, "chain").body)
                if _ends_at(chain, preferred):
                    return chain, self._check(chain)
            except (Failed, Refused, Transient) as failure:
                self._session.check_stop()
                why = why or f" ({failure})"
        self._say(f"the CA gave no chain that ends at {preferred}{why}; going on with its own choice")
        return None


def _alternates(answer: Answer) -> list[str]:
    return _ALTERNATE.findall(",".join(answer.headers.get("link", ()))[:16384])[:_MOST_ALTERNATES]


def _ends_at(chain: Chain, preferred: str) -> bool:
    top = (chain.certificate_pem, *chain.chain_pem)[-1]
    return preferred in x509.issuer_common_names(top)
