"""What issuers, ways to prove control, and the desk at which they meet promise each other (RFC 8555)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reconciler.errors import Failed
from reconciler.model.desired import (
    DnsSpec,
    ImportSpec,
    MethodSpec,
)
from reconciler.model.observed import (
    AccountRecord,
    CertificateFacts,
    OrderRecord,
    Proven,
    Undo,
)
from reconciler.model.stages import Offer, Record, Way
from reconciler.model.text import Secret


@dataclass(frozen=True, slots=True)
class Request:
    """What an issuer is asked for. `methods[hostname]` are the ways, in the order in which they are to be tried.

    `by_hand`: a new order is a person's from its first moment. `brought`: where the site's own certificate stands.
    """

    site: str
    hostnames: tuple[str, ...]
    key_type: str
    methods: Mapping[str, tuple[MethodSpec, ...]]
    reason: str
    spec_digest: str
    profile: str | None = None
    preferred_chain: str | None = None
    by_hand: bool = False
    brought: ImportSpec | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """What an issuer gave, already verified against what was asked. `chain` may be empty. PEM, re-encoded by us.

    `key` is set where it comes with the certificate; else the certificate is for the desk's key.
    """

    certificate: bytes
    chain: bytes
    facts: CertificateFacts
    directory: str | None = None
    account: str | None = None
    profile: str | None = None
    challenges: Mapping[str, Proven] = field(default_factory=dict)
    key: Secret | None = None


class Desk(Protocol):
    """What an issuer may remember and do for one site while it works there; every write is on disk when it returns."""

    def order(self) -> OrderRecord | None:
        """Give the order in flight, if one was left."""
        ...

    def save(self, order: OrderRecord) -> None:
        """Keep the order."""
        ...

    def forget(self, *, keep_key: bool) -> None:
        """Drop the order."""
        ...

    def key(self) -> Secret:
        """Give the pending private key (PKCS#8 PEM), made and stored on first use."""
        ...

    def present(self, method: MethodSpec, hostname: str, token: str, asked: Asked) -> None:
        """Publish the answer to a challenge by that method; what must be undone is written down first."""
        ...

    def settle(self) -> None:
        """Wait until all that was presented can be seen, together. Its time begins when it was first presented.

        Raises Waiting (ask again with the same order), Failed.
        """
        ...

    def self_test(self) -> Sequence[Failed]:
        """Look at what was presented the way the CA will, before it is asked.

        Gives the failures that must keep it from being asked, each with its hostname; others are only told.
        """
        ...

    def clean_up(self) -> None:
        """Take away all that was presented for this site."""
        ...

    def say(self, message: str) -> None:
        """Report progress in a few words."""
        ...


class Issuer(Protocol):
    """Signs. `obtain` resumes what it left on the desk; raises Waiting (ask again), Failed, Transient or Stalled."""

    def register(self) -> AccountRecord | None:
        """Make sure that the account exists (RFC 8555 section 7.3); None for issuers without accounts."""
        ...

    def obtain(self, request: Request, desk: Desk) -> Issued:
        """Give a verified certificate for the desk's key."""
        ...


class StagedIssuer(Issuer, Protocol):
    """An issuer whose orders can be taken apart; all raise what `obtain` does."""

    def identities(self) -> tuple[str, ...]:
        """Give the names by which CAA records know the CA (RFC 8555 section 7.1.1), none where it does not say."""
        ...

    def offer(self, request: Request, desk: Desk) -> Offer:
        """Make the order or take up the one on the desk, as a person's, and give all that is offered."""
        ...

    def prove(self, request: Request, desk: Desk, ways: Mapping[str, Way]) -> Offer:
        """Prove these names of the order on the desk; raises NamesFailed with the CA's words for each."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a challenge asks for beside its token (which is "" for types without one).

    `account` is the account's URL; `issuers` are the CA's issuer-domain-names (dns-persist-01).
    """

    key_authorization: str
    account: str = ""
    issuers: tuple[str, ...] = ()


class Solver(Protocol):
    """A way to prove control of names: presents by value (RFC 8555 section 8); `Challenges` takes away by record."""

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:
        """Give the record of what `present` will put into the world."""
        ...

    def present(self, thing: Undo, key_authorization: str) -> Undo:
        """Do it; the record comes back with what is known now."""
        ...

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> Sequence[str] | None:
        """Wait until the CA can see them: at once where nothing needs time. `since` is when the last was presented.

        Gives what is to be remembered where it goes on although it waited in vain, as a way may be told to. Raises
        Waiting where the wait goes on later with the same order, Failed where it was in vain.
        """
        ...


class DnsProvider(Protocol):
    """Who writes TXT records: adds and removes single values, never a whole set, and knows no other record.

    All raise Waiting(InFlight) where the process stops.
    """

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Add a value beside those that are there; one that is there already is as good. Raises Failed."""
        ...

    def remove(self, zone: str, name: str, value: str) -> None:
        """Take this value away; one that is not there is no failure. Raises Failed where it cannot be done now."""
        ...


class AddressWriter(DnsProvider, Protocol):
    """A provider that writes A and AAAA records too, in the same manner. An IPv6 address makes an AAAA record."""

    def add_address(self, zone: str, name: str, address: str, ttl: int) -> None:
        """Add an address beside those that are there. Raises Failed."""
        ...

    def remove_address(self, zone: str, name: str, address: str) -> None:
        """Take this address away; one that is not there is no failure. Raises Failed."""
        ...


class AddressBook(Protocol):
    """Publishes A and AAAA records by one method, one value at a time."""

    def prepare(self, site: str, name: str, address: str) -> Undo:
        """Give the record of what `publish` will do; `identity` is `theirs` if it stands there already."""
        ...

    def publish(self, thing: Undo, ttl: int) -> None:
        """Add it. Raises Failed."""
        ...

    def settle(self, things: Sequence[Undo], say: Callable[[str], None]) -> None:
        """Wait until every name server has them. Raises Failed(NotPropagated), Waiting where the process stops."""
        ...

    def stands(self, thing: Undo) -> bool:
        """Tell whether a name server still has it. Raises Failed where none can be asked."""
        ...


class Challenges(Protocol):
    """All ways to prove control, by their specs; and the way to take away what any of them left."""

    def solver(self, method: MethodSpec) -> Solver:
        """Give the solver of a method."""
        ...

    def addresses(self, method: DnsSpec) -> AddressBook:
        """Give what publishes address records by a method."""
        ...

    def record(self, kind: str, hostname: str, asked: Asked, ttl: int) -> Record | None:
        """Give the TXT record by which a type of challenge is answered, None for types that have none."""
        ...

    def self_test(
        self,
        method: MethodSpec,
        hostname: str,
        token: str,
        key_authorization: str,
        find: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        """Look at what was presented the way a CA will. Raises Failed(SelfTestFailed); bounded to a few seconds.

        `find` gives the addresses of a name that this machine's own resolver does not know.
        """
        ...

    def clean_up(self, thing: Undo) -> None:
        """Undo one thing, also of a method that is no longer declared; nothing to undo is no failure.

        Raises Failed where it cannot be done now, Waiting where the process stops.
        """
        ...

    def is_gone(self, thing: Undo, methods: Iterable[MethodSpec]) -> bool:
        """Tell whether what could not be undone is known to stand nowhere; `methods` say by whom that is found out."""
        ...
