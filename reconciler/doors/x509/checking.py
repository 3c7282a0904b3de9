"""Whether a certificate is the one that was asked for, and whether a stored pair fits."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from reconciler.doors.x509.keys import spki_of_private
from reconciler.doors.x509.reading import BAD, Blame, facts_of, load_chain, unreadable
from reconciler.errors import Failed
from reconciler.model.names import Hostname

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.model.observed import CertificateFacts
    from reconciler.model.text import Secret

# clocks differ: a certificate that becomes valid within this time is no reason to throw it away
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_NAMES_SHOWN: Final = 3


def check_issued(
    chain_pem: bytes, key: Secret, hostnames: Sequence[str], now: datetime, roots: bytes | None = None
) -> CertificateFacts:
    """Check what a CA returned before anything of it is stored, and give the leaf's facts.

    `chain_pem` is leaf first; `now` aware; `roots` are PEM certificates one of which must stand above the chain
    (None: any). Raises Failed, blame `ca`: UnreadableCertificate, KeyMismatch, WrongNames, NotYetValid, Expired,
    BadChain; blame `local`: UnreadableKey.
    """
    chain = load_chain(chain_pem, "ca")
    leaf = facts_of_leaf(chain, key, "ca")
    _check_names(leaf, hostnames)
    _check_dates(leaf, now)
    check_chain(chain, now)
    if roots is not None:
        _check_anchor(chain[-1], load_chain(roots, "local"))
    return leaf


def check_pair(fullchain_pem: bytes, key: Secret) -> CertificateFacts:
    """Check that a stored key belongs to its certificate, and give the leaf's facts. About 0.1 ms.

    Raises Failed, blame `local`: UnreadableCertificate, UnreadableKey, KeyMismatch.
    """
    return facts_of_leaf(load_chain(fullchain_pem, "local"), key, "local")


def facts_of_leaf(chain: list[x509.Certificate], key: Secret, blame: Blame) -> CertificateFacts:
    """Give the first certificate's facts if it is for this key. Raises Failed(KeyMismatch, UnreadableCertificate)."""
    try:
        leaf = facts_of(chain[0])
    except Failed as failure:
        raise Failed(failure.reason, str(failure), blame=blame) from None
    if leaf.spki != spki_of_private(key):
        raise Failed("KeyMismatch", "the certificate is for another key than ours", blame=blame)
    return leaf


def _check_names(leaf: CertificateFacts, hostnames: Sequence[str]) -> None:
    wanted, got = {_normal(name) for name in hostnames}, set(leaf.hostnames)
    if wanted == got:
        return
    parts = [_some("lacks", wanted - got), _some("has unasked", got - wanted)]
    raise Failed("WrongNames", f"the certificate {' and '.join(filter(None, parts))}", blame="ca")


def _normal(name: str) -> str:
    if not Hostname(name).is_address:
        return name.lower()
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower()


def _some(verb: str, names: set[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{verb} {', '.join(sorted(names)[:_NAMES_SHOWN])}{more}"


def _check_dates(leaf: CertificateFacts, now: datetime) -> None:
    if leaf.not_before > now + CLOCK_TOLERANCE:
        raise Failed("NotYetValid", f"the certificate is valid only from {leaf.not_before.isoformat()}", blame="ca")
    if leaf.not_after <= now:
        raise Failed("Expired", f"the certificate expired at {leaf.not_after.isoformat()}", blame="ca")


def check_chain(chain: list[x509.Certificate], now: datetime) -> None:
    """Check that each certificate above the leaf issued the one below, is a CA's and valid. Raises Failed(BadChain)."""
    for place, (lower, upper) in enumerate(pairwise(chain), start=1):
        if not issued_by(lower, upper):
            raise _bad_chain(f"certificate {place} is not signed by certificate {place + 1}")
        if not _is_authority(upper):
            raise _bad_chain(f"certificate {place + 1} is not one of a CA")
        if not _is_valid(upper, now):
            raise _bad_chain(f"certificate {place + 1} is not valid now")


def _check_anchor(last: x509.Certificate, roots: list[x509.Certificate]) -> None:
    if not any(last == root or issued_by(last, root) for root in roots):
        raise _bad_chain("it does not end at the root that was declared")


def is_linked(chain_der: Sequence[bytes]) -> bool:
    """Tell whether each certificate of a served chain (DER, leaf first) was issued by the one after it."""
    try:
        loaded = [x509.load_der_x509_certificate(der) for der in chain_der]
    except BAD:
        return False
    return all(issued_by(lower, upper) for lower, upper in pairwise(loaded))


def issued_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Tell whether one certificate was issued and signed by the other."""
    try:
        lower.verify_directly_issued_by(upper)
    except (*BAD, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except BAD:
        raise unreadable("an intermediate certificate is malformed", "ca") from None


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    try:
        return certificate.not_valid_before_utc <= now + CLOCK_TOLERANCE and now < certificate.not_valid_after_utc
    except BAD:
        raise unreadable("the dates of an intermediate certificate are malformed", "ca") from None


def _bad_chain(why: str) -> Failed:
    return Failed("BadChain", f"the certificate chain does not hold: {why}", blame="ca")
