"""The resolvers that are asked, and which of them is gone: a name that nobody answers for says nothing of a resolver.

One that was silent three times in a row is asked for the root's name servers, which each of them knows; if that is in
vain too, it is asked no more.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from reconciler.doors.dns_client import api as dns

if TYPE_CHECKING:
    from collections.abc import Sequence

_IN_VAIN: Final = 3
_SILENT: Final = frozenset({"DnsTimeout", "DnsUnreachable", dns.NO_ROUTE})
_ROOT: Final = ""


class Resolvers:
    """Asks them in turn until one knows. Safe for threads."""

    def __init__(self, given: Sequence[dns.Endpoint]) -> None:
        """Take them; none: those of the system, found with each question."""
        self._given = tuple(given)
        self._lock = threading.Lock()
        self._in_vain: dict[dns.Endpoint, int] = {}
        self._gone: set[dns.Endpoint] = set()

    def lookup(self, name: str, kind: str, *, unchecked: bool = False) -> dns.Answer:
        """Give the first answer that tells something. Raises DnsFailed of the last, and Failed(NoResolver)."""
        last = dns.DnsFailed("DnsUnreachable", "no resolver answers")
        for server in self._given or dns.system_resolvers():
            if server in self._gone:
                continue
            try:
                answer = dns.lookup((server,), name, kind, unchecked=unchecked)
            except dns.DnsFailed as failure:
                last = failure
                self._heard(server, silent=failure.reason in _SILENT)
            else:
                self._heard(server, silent=False)
                return answer
        raise last

    def _heard(self, server: dns.Endpoint, *, silent: bool) -> None:
        with self._lock:
            count = self._in_vain[server] = self._in_vain.get(server, 0) + 1 if silent else 0
        if count and count % _IN_VAIN == 0:
            gone = not _lives(server)
            with self._lock:
                self._in_vain[server] = 0
                if gone:
                    self._gone.add(server)


def _lives(server: dns.Endpoint) -> bool:
    try:
        dns.ask(server, _ROOT, "NS", recursive=True)
    except dns.DnsFailed as failure:
        return failure.reason not in _SILENT
    return True
