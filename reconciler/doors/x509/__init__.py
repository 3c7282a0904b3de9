"""Door to `cryptography`: keys, requests and certificates. The only place that imports it.

Enters: PEM and DER from a CA, a disk or a peer (hostile: bounded, parsed, re-encoded), key material as `Secret`.
Leaves: `CertificateFacts`, `Chain`, PEM and DER of our own encoding, keys as `Secret`.
Must not: touch a file or the network, keep a key, show one in a message.

This face is lazy: `from reconciler.doors import x509` costs nothing, `cryptography` (60 ms) loads with the first name
that is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.doors.x509.checking import check_issued, check_pair, is_linked
    from reconciler.doors.x509.importing import BroughtPair, Flawed, read_pair, read_pkcs12
    from reconciler.doors.x509.keys import key_type, make_csr, new_key
    from reconciler.doors.x509.proving import challenge_certificate, challenge_shown
    from reconciler.doors.x509.reading import Chain, facts, issuer_common_names, read_chain
    from reconciler.doors.x509.signing import PLACEHOLDER, new_ca, self_signed, sign
else:
    _HOMES = {
        "BroughtPair": "importing",
        "Chain": "reading",
        "Flawed": "importing",
        "PLACEHOLDER": "signing",
        "challenge_certificate": "proving",
        "challenge_shown": "proving",
        "check_issued": "checking",
        "check_pair": "checking",
        "facts": "reading",
        "is_linked": "checking",
        "issuer_common_names": "reading",
        "key_type": "keys",
        "make_csr": "keys",
        "new_ca": "signing",
        "new_key": "keys",
        "read_chain": "reading",
        "read_pair": "importing",
        "read_pkcs12": "importing",
        "self_signed": "signing",
        "sign": "signing",
    }

    def __getattr__(name):  # noqa: ANN001, ANN202  the types stand above
        """Import a name's module at its first use (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


__all__ = [
    "PLACEHOLDER",
    "BroughtPair",
    "Chain",
    "Flawed",
    "challenge_certificate",
    "challenge_shown",
    "check_issued",
    "check_pair",
    "facts",
    "is_linked",
    "issuer_common_names",
    "key_type",
    "make_csr",
    "new_ca",
    "new_key",
    "read_chain",
    "read_pair",
    "read_pkcs12",
    "self_signed",
    "sign",
]
