"""Fetching a certificate with the chain that was asked for (RFC 8555 section 7.4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509

if TYPE_CHECKING:
    from reconciler.doors.x509 import Chain
    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.acme.signing import Signer
    from reconciler.issuers.acme.transport import Answer

_MOST_ALTERNATES: Final = 5
_ALTERNATE: Final = re.compile(r"<([\x21-\x3d\x3f-\x7e]{1,2000})>\s*;[^,<]*\brel=\"?alternate\"?", re.ASCII)
_COMMAS: Final = re.compile(r"(?<!\\),")


def download(session: Session, signer: Signer, url: str, preferred: str | None) -> Chain:
    """Give the chain, re-encoded; of several the one whose top was signed by a CA with the common name `preferred`.

    None of them: the CA's own choice. Raises Failed(UnreadableCertificate, CaMisbehaves), Refused, Transient.
    """
    answer = session.post(url, b"", signer, "chain")
    first = x509.read_chain(answer.body)
    if preferred is None or _ends_at(first, preferred):
        return first
    for other in _alternates(answer):
        chain = x509.read_chain(session.post(other, b"", signer, "chain").body)
        if _ends_at(chain, preferred):
            return chain
    return first


def _alternates(answer: Answer) -> list[str]:
    return _ALTERNATE.findall(",".join(answer.headers.get("link", ()))[:16384])[:_MOST_ALTERNATES]


def _ends_at(chain: Chain, preferred: str) -> bool:
    top = (chain.certificate_pem, *chain.chain_pem)[-1]
    return f"CN={preferred}" in _COMMAS.split(x509.facts(top).issuer_name)
