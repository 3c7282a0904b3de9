"""The plug-in: an Issuer of type `acme`."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import CertwrightError, Failed, Stalled, Transient
from reconciler.issuers.acme.account import identities, register, signer_of
from reconciler.issuers.acme.order import Run
from reconciler.issuers.acme.problems import Refused, failure_of, unavailable
from reconciler.issuers.acme.session import Session
from reconciler.issuers.acme.staged import Staged

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from reconciler.issuers.acme.signing import Signer
    from reconciler.issuers.means import Means
    from reconciler.model.desired import AcmeIssuer as Spec
    from reconciler.model.observed import AccountRecord
    from reconciler.model.ports import Clock, Desk, Issued, Request
    from reconciler.model.stages import Offer, Way


class Sessions:
    """All CAs of this process: issuers with one directory and account share connections, nonces and the account."""

    def __init__(self, clock: Clock, *, version: str, connections: int = 8) -> None:
        """`connections` are kept alive to each CA: the number of workers. `version` is told to the CA."""
        self._clock, self._version, self._connections = clock, version, connections
        self._lock = threading.Lock()
        self._open: dict[Hashable, Session] = {}

    def get(self, spec: Spec) -> Session:
        """Give the session of a spec, made on first use. Raises Stalled(InsecureDirectory)."""
        key = (spec.directory, spec.account, spec.ca_bundle, spec.allow_insecure)
        with self._lock:
            if key not in self._open:
                self._open[key] = Session(spec, self._clock, version=self._version, connections=self._connections)
            return self._open[key]

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            for session in self._open.values():
                session.close()


class AcmeIssuer:
    """Obtains certificates from one CA. Safe for threads: what is shared is in the session."""

    def __init__(self, spec: Spec, means: Means, sessions: Sessions) -> None:
        """Nothing is sent before the first call."""
        self.spec, self._means, self._sessions = spec, means, sessions

    def register(self) -> AccountRecord:
        """Make sure that the account exists (RFC 8555 section 7.3). See `account.register`."""
        try:
            return register(self._sessions.get(self.spec), self.spec, self._means)
        except (Refused, Transient) as failure:
            raise self._translated(failure) from None

    def identities(self) -> tuple[str, ...]:
        """Give the names by which CAA records know the CA. Raises Failed, Waiting, Stalled."""
        try:
            return identities(self._sessions.get(self.spec), self.spec, self._means)
        except (Refused, Transient) as failure:
            raise self._translated(failure) from None

    def obtain(self, request: Request, desk: Desk) -> Issued:
        """Give a verified certificate for the desk's key; goes on with the order that was left on the desk.

        On success and on failure what was presented is taken away; while it is Waiting it stays. The order itself
        stays on the desk after success: it is forgotten by whoever has stored the certificate, so that a crash in
        between costs a download. Raises Waiting, Failed, Stalled (see `reconciler.issuers`).
        """
        issued = self._tidily(desk, lambda session, signer: Run(session, signer, self.spec, request, desk).issue())
        self._tidy(desk)
        return issued

    def offer(self, request: Request, desk: Desk) -> Offer:
        """Make the order or go on with the one on the desk, in a person's hands; give all that the CA offers.

        Raises as `obtain` does.
        """
        return self._tidily(desk, lambda session, signer: Staged(session, signer, self.spec, request, desk).offer())

    def prove(self, request: Request, desk: Desk, ways: Mapping[str, Way]) -> Offer:
        """Prove names of the order on the desk, take away what was presented, and give what then stands.

        Raises as `obtain` does; NamesFailed tells of each name in the CA's words.
        """
        offer = self._tidily(
            desk, lambda session, signer: Staged(session, signer, self.spec, request, desk).prove(ways)
        )
        self._tidy(desk)
        return offer

    def _tidily(self, desk: Desk, work: Callable[[Session, Signer], T]) -> T:
        """Work with the CA; a failure (no wait) takes away what was presented."""
        try:
            session = self._sessions.get(self.spec)
            return work(session, signer_of(session, self.spec, self._means))
        except (Refused, Transient) as failure:
            translated = self._translated(failure)
            if isinstance(translated, (Failed, Stalled)):
                self._tidy(desk)
            raise translated from None
        except (Failed, Stalled):
            self._tidy(desk)
            raise

    def _translated(self, failure: Refused | Transient) -> CertwrightError:
        clock = self._means.clock
        if isinstance(failure, Refused):
            if failure.problem.code == "accountDoesNotExist":
                # a person restores the key or names another account: both are read again, also by this process
                self._sessions.get(self.spec).signer = None
            return failure_of(failure.problem)
        if clock.stopping():
            return self._sessions.get(self.spec).stopped()
        return unavailable(failure, clock.now())

    @staticmethod
    def _tidy(desk: Desk) -> None:
        # what cannot be taken away now is written down and tried again at the next start; it hides no result
        with suppress(CertwrightError):
            desk.clean_up()
