"""One CA as one account sees it: the directory, nonces, signed requests that are retried, the CA's clock."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.doors.tls import client_context
from reconciler.errors import Failed, Transient, Waiting
from reconciler.issuers.acme.nonces import Nonces, nonce_in
from reconciler.issuers.acme.origin import misbehaves, origin_of
from reconciler.issuers.acme.problems import Refused, raise_for
from reconciler.issuers.acme.resources import Directory, read_directory
from reconciler.issuers.acme.times import http_time
from reconciler.issuers.acme.transport import Broken, Transport

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.issuers.acme.signing import Signer
    from reconciler.issuers.acme.transport import Answer, Wanted
    from reconciler.model.desired import AcmeIssuer as Spec
    from reconciler.model.ports import Clock

_DIRECTORY_SECONDS: Final = 3600.0
_NONCE_TRIES: Final = 10
_SKEW: Final = timedelta(hours=1)
_CLOCK_AGAIN: Final = timedelta(minutes=10)
# long enough for all who waited their turn meanwhile: else each of a thousand sites waits a minute for itself
_SILENT_SECONDS: Final = 5.0


class Session:
    """Talks to one CA for all threads. `signer` is the account's, loaded at its first use."""

    def __init__(self, spec: Spec, clock: Clock, *, version: str, connections: int) -> None:
        """Take an issuer's spec; nothing is sent yet. Raises Stalled(InsecureDirectory)."""
        self.url, self.clock = spec.directory, clock
        self.origin = origin_of(spec.directory, private=spec.ca_bundle is not None, allow_insecure=spec.allow_insecure)
        bundle = None if spec.ca_bundle is None else Path(spec.ca_bundle)
        self._transport = Transport(
            self.origin,
            lambda: client_context(bundle),
            clock,
            connections=connections,
            user_agent=f"certwright/{version}",
        )
        self.nonces = Nonces(self._new_nonce, clock.monotonic)
        self.signer: Signer | None = None
        self.account_lock = threading.Lock()
        self._lock = threading.Lock()
        self._known: tuple[float, Directory] | None = None
        self._silent: tuple[float, Transient] | None = None
        self._date: tuple[str, datetime, float] | None = None

    def directory(self) -> Directory:
        """Give the directory, read again each hour. Who waited while it could not be read is told so at once."""
        with self._lock:
            if self._known is None or self.clock.monotonic() - self._known[0] > _DIRECTORY_SECONDS:
                self._known = self.clock.monotonic(), self._read_directory()
            return self._known[1]

    def _read_directory(self) -> Directory:
        if self._silent is not None and self.clock.monotonic() - self._silent[0] < _SILENT_SECONDS:
            # the same words for all, so that they are told as one
            words = f"{self._silent[1]} (asked in the last {_SILENT_SECONDS:g} s for others, and not once more)"
            raise Transient(words, self._silent[1].retry_after)
        try:
            answer = self._transport.patiently(self._get_directory)
        except Transient as failure:
            self._silent = self.clock.monotonic(), failure
            raise
        self._silent = None
        return read_directory(answer, self.origin)

    def post_once(self, url: str, payload: bytes, signer: Signer) -> Answer:
        """Send a signed request that must not be done twice: not repeated once its connection broke after sending.

        As `post` otherwise. Raises Failed(CaUnavailable) where nobody knows whether it was done.
        """

        def once() -> Answer:
            try:
                return self._post(url, payload, signer, "json")
            except Broken as broken:
                raise Failed("CaUnavailable", f"{broken}; it may have done what was asked", blame="ca") from None

        return self._transport.patiently(once)

    def post(self, url: str, payload: bytes, signer: Signer, wanted: Wanted = "json") -> Answer:
        """Send a signed request; an empty payload is POST-as-GET (RFC 8555 section 6.3).

        A refused nonce is replaced by the one of the refusal, ten times; what the next seconds may heal is tried four
        times. Raises Refused, Transient, Failed(CaMisbehaves ...), Waiting(InFlight) to stop.
        """
        return self._transport.patiently(lambda: self._post(url, payload, signer, wanted))

    def check_clock(self) -> None:
        """Raise Waiting(ClockWrong) if our clock and the CA's (its Date header) differ by over an hour."""
        if not self._skewed():
            return
        # asked again before it counts: a machine that slept, or whose clock was set meanwhile, would never get out
        with self._lock:
            self._known = self._date = None
        self.directory()
        theirs = self._skewed()
        if theirs:
            now = self.clock.now()
            message = f"our clock says {now:%Y-%m-%d %H:%M} UTC, the CA's {theirs:%Y-%m-%d %H:%M}; set the clock"
            raise Waiting("ClockWrong", message, now + _CLOCK_AGAIN)

    def _skewed(self) -> datetime | None:
        """Give what the CA last said the time is, if it was far from ours then."""
        told = self._date
        if told is None:
            return None
        _, date, seen = told
        ours = self.clock.now() - timedelta(seconds=self.clock.monotonic() - seen)
        return date if abs(date - ours) > _SKEW else None

    def check_stop(self) -> None:
        """Raise Waiting(InFlight) if the process is asked to stop."""
        if self.clock.stopping():
            raise self.stopped()

    def stopped(self) -> Waiting:
        """Make the failure that leaves an order as it is."""
        return Waiting("InFlight", "the process stops; the order goes on when it starts again", self.clock.now())

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def _post(self, url: str, payload: bytes, signer: Signer, wanted: Wanted) -> Answer:
        nonce, fresh = self.nonces.take(), None
        for _ in range(_NONCE_TRIES + 1):
            self.check_stop()
            answer = self._heard(self._transport.send("POST", url, signer.sign(payload, nonce, url), wanted))
            fresh = nonce_in(answer)
            try:
                raise_for(answer, self.clock.now())
            except Refused as refused:
                if refused.problem.code == "badNonce":
                    nonce = fresh or self.nonces.take()
                    continue
                self.nonces.put(fresh)
                raise
            except Transient:
                self.nonces.put(fresh)
                raise
            self.nonces.put(fresh)
            return answer
        self.nonces.put(fresh)
        raise Transient(f"{self.origin} refused {_NONCE_TRIES + 1} nonces in a row")

    def _new_nonce(self) -> str:
        url = self.directory().new_nonce
        answer = self._transport.patiently(lambda: self._fetched("HEAD", url, "nothing"))
        nonce = nonce_in(answer)
        if nonce is None:
            raise misbehaves("newNonce answered without a Replay-Nonce", url)
        return nonce

    def _get_directory(self) -> Answer:
        return self._fetched("GET", self.url, "json")

    def _fetched(self, method: str, url: str, wanted: Wanted) -> Answer:
        self.check_stop()
        answer = self._heard(self._transport.send("HEAD" if method == "HEAD" else "GET", url, None, wanted))
        raise_for(answer, self.clock.now())
        return answer

    def _heard(self, answer: Answer) -> Answer:
        """Note the CA's clock; most answers repeat the second of the one before."""
        text, known = answer.header("date"), self._date
        if text is not None and (known is None or known[0] != text):
            date = http_time(text)
            if date is not None and date.tzinfo is not None:
                self._date = text, date, self.clock.monotonic()
        return answer
