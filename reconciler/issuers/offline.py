"""What issuers without a network share: what they sign is checked as if a stranger had signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.doors import x509
from reconciler.model.ports import Issued

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model.text import Secret


def checked(
    pair: tuple[Secret, bytes], chain: bytes, hostnames: Sequence[str], now: datetime, *, root: bytes | None = None
) -> Issued:
    """Give a key's signed certificate (PEM) as a result. Raises Failed: KeyMismatch, WrongNames, BadChain, Expired."""
    key, certificate = pair
    facts = x509.check_issued(certificate + chain, key, hostnames, now, root)
    return Issued(certificate=certificate, chain=chain, facts=facts)
