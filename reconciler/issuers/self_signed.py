"""Certificates that sign themselves: the issuer of type `self-signed`, and placeholders."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.issuers.offline import checked

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.issuers.means import Means
    from reconciler.model.desired import DesiredSite
    from reconciler.model.desired import SelfSignedIssuer as Spec
    from reconciler.model.ports import Desk, Issued, Request
    from reconciler.model.text import Secret

_PLACEHOLDER_LIFETIME: Final = timedelta(days=30)


class SelfSignedIssuer:
    """An Issuer of type `self-signed`."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self.spec, self._means = spec, means

    def register(self) -> None:
        """Nothing: there is no account."""

    def obtain(self, request: Request, desk: Desk) -> Issued:
        """Give a certificate for the desk's key."""
        now, key = self._means.clock.now(), desk.key()
        certificate = x509.self_signed(key, request.hostnames, self.spec.lifetime, now, marker=False)
        return checked((key, certificate), b"", request.hostnames, now)


def placeholder(site: DesiredSite, key: Secret, now: datetime) -> Issued:
    """Make what lets a server start before a site has its certificate: good for 30 days, never Ready.

    It is marked by `O=certwright placeholder`, so that anybody recognises it.
    """
    certificate = x509.self_signed(key, site.names, _PLACEHOLDER_LIFETIME, now, marker=True)
    return checked((key, certificate), b"", site.names, now)
