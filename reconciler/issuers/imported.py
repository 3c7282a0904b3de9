"""The issuer of type `imported`: nobody is asked, the site brings certificate and key. Also how what it brings is read.

The files are the person's; they are read and never written. What is read becomes a revision like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.doors.files import api as files
from reconciler.doors.files.api import FileFailed
from reconciler.errors import Failed, UsageError
from reconciler.model.observed import Brought, chain_digest
from reconciler.model.ports import Issued
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.issuers.means import Means
    from reconciler.model.desired import ImportedIssuer as Spec
    from reconciler.model.desired import ImportSpec, SecretRef
    from reconciler.model.ports import Desk, Request

INVALID: Final = "ImportInvalid"


class ImportedIssuer:
    """An Issuer of type `imported`."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self.spec, self._means = spec, means

    def register(self) -> None:
        """Nothing: there is no account."""

    def obtain(self, request: Request, desk: Desk) -> Issued:
        """Give what the site brings, with its own key; the desk's is not asked for. Raises Failed(ImportInvalid)."""
        del desk
        if request.brought is None:
            raise Failed(INVALID, f"site {request.site} has no `import`")
        pair = read(request.brought, self._means.clock.now(), self._means.read_secret)
        return Issued(pair.certificate, pair.chain, pair.facts, key=pair.key)


def read(spec: ImportSpec, now: datetime, read_secret: Callable[[SecretRef, str], Secret]) -> x509.BroughtPair:
    """Read and check what a site brings. Raises Failed(ImportInvalid), which names files and never quotes a key."""
    try:
        word = read_secret(spec.passphrase, "passphrase") if spec.passphrase is not None else None
        if spec.pkcs12 is not None:
            return x509.read_pkcs12(Secret(_bytes(spec.pkcs12)), now, word)
        certificates = [_bytes(path) for path in (spec.certificate, spec.chain) if path is not None]
        return x509.read_pair(Secret(_bytes(spec.key or "")), certificates, now, word)
    except x509.Flawed as failure:
        raise Failed(INVALID, f"{_place(spec, failure.of)}: {failure}") from None
    except _Unread as failure:
        raise Failed(INVALID, str(failure)) from None
    except (Failed, UsageError) as failure:
        raise Failed(INVALID, f"{spec.key or spec.place}: {failure}") from None


def _place(spec: ImportSpec, of: str | int | None) -> str:
    """Give the file that is at fault, as far as that is known."""
    if spec.key is None or spec.certificate is None:
        return spec.place
    match of:
        case "key":
            return spec.key
        case "fit":
            return f"{spec.key} and {spec.certificate}"
        case 1:
            return spec.chain or spec.place
        case _:
            return spec.place


def look(spec: ImportSpec, now: datetime, read_secret: Callable[[SecretRef, str], Secret]) -> Brought:
    """Give what can be told of it without its key; where it cannot be used, why."""
    try:
        pair = read(spec, now, read_secret)
        return Brought(pair.facts, chain=chain_digest(pair.chain))
    except Failed as failure:
        return Brought(None, str(failure))


class _Unread(Failed):
    """A file cannot be read; the message names it."""


def _bytes(path: str) -> bytes:
    try:
        return files.read_file(path, follow=True)
    except FileFailed as failure:
        text = str(failure)
        raise _Unread(failure.reason, text if path in text else f"{path}: {text}") from None
