"""What a name server did wrong, as one type of failure."""

from __future__ import annotations

import errno
import os
from typing import Final

from reconciler.errors import Failed
from reconciler.model.text import clean

NO_ROUTE: Final = "DnsNoRoute"
_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class DnsFailed(Failed):
    """A question or an update failed. Reasons: DnsTimeout, DnsUnreachable, DnsNoRoute (this machine has no such
    address family), DnsRefused, DnsBroken, ZoneNotFound, ZoneNotOurs, TsigRefused.
    """  # noqa: D205  the list of reasons does not fit in a line


def failed(server: object, what: str, error: Exception) -> DnsFailed:
    """Make a sentence of anything that a question or an update raised."""
    import dns.exception

    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return DnsFailed("DnsTimeout", f"the name server {server} did not answer {what} in time")
    if isinstance(error, OSError):
        reason = NO_ROUTE if error.errno in _NO_ROUTE else "DnsUnreachable"
        words = os.strerror(error.errno).lower() if error.errno else "the connection broke off"
        return DnsFailed(reason, f"the name server {server} cannot be asked for {what}: {words}")
    if isinstance(error, EOFError):
        return DnsFailed("DnsBroken", f"the name server {server} hung up while answering {what}")
    said = clean(str(error), 120)
    return DnsFailed("DnsBroken", f"the name server {server} gave an unusable answer to {what}: {said}")
