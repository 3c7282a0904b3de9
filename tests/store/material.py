"""Certificates with their keys, and records, for tests of the store."""

from __future__ import annotations

import functools
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.doors import x509
from reconciler.model.desired import CaIssuer, DesiredSite, FilesTarget, Http01, TargetUse, Webroot
from reconciler.model.names import Hostname, Trust
from reconciler.model.observed import OrderRecord, Proven, RevisionMeta
from reconciler.model.ports import Bundle

if TYPE_CHECKING:
    from reconciler.model.text import Secret

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
DIRECTORY = "https://acme.example/directory"
_serial = itertools.count()
DESIRED = DesiredSite(
    "a",
    (Hostname("a.example", "a.example"),),
    (CaIssuer("own", Trust.PRIVATE),),
    {"a.example": (Http01("http", Webroot("/srv/www")),)},
    (TargetUse(FilesTarget(name="web"), {"depth": 3, "names": ("x", "y")}),),
    digest="d",
)


@functools.cache
def authority() -> tuple[Secret, bytes]:
    return x509.new_ca("test CA", "ecdsa-p256", timedelta(days=3650), datetime.now(UTC))


def bundle(hostname: str = "a.example", key_type: str = "ecdsa-p256") -> Bundle:
    key = x509.new_key(key_type)
    return Bundle(key, certificate(key, hostname), authority()[1])


def certificate(key: Secret, hostname: str = "a.example") -> bytes:
    now = datetime.now(UTC)
    ca_key, ca = authority()
    start, end = now - timedelta(hours=1), now + timedelta(days=90)
    csr = x509.make_csr(key, [hostname])
    return x509.sign(ca_key, ca, csr, [hostname], not_before=start, not_after=end)


def meta(reason: str = "Missing", at: datetime | None = None) -> RevisionMeta:
    """Each later than the one before, as passes are."""
    when = at or NOW + timedelta(seconds=next(_serial))
    proven = {"a.example": Proven("http", "http-01")}
    return RevisionMeta(
        "le", Trust.PUBLIC, DIRECTORY, "https://acme.example/acct/1", None, proven, "digest", reason, when
    )


def order(url: str | None = None) -> OrderRecord:
    return OrderRecord("le", DIRECTORY, "default", ("a.example",), "Missing", "digest", NOW, url=url)
