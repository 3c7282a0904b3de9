"""An order taken apart into its stages: what the CA offers for each name, and what a person may say about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.model.desired import MethodSpec


@dataclass(frozen=True, slots=True)
class Record:
    """A TXT record: an absolute owner name with its final dot, the text, and the seconds that it may be kept."""

    name: str
    value: str
    ttl: int


@dataclass(frozen=True, slots=True)
class OfferedChallenge:
    """One way that the CA offers for a name; `payload` is the key authorization, "" for types without a token.

    `method` is the declared ChallengeMethod that would be used, None if there is none of this type.
    """

    type: str
    status: str
    url: str
    token: str
    payload: str
    method: str | None = None
    record: Record | None = None
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferedName:
    """One name of the order, `*.` in front of a wildcard; `problem` is what the CA says of a proof that failed."""

    hostname: str
    status: str
    expires: datetime | None
    challenges: tuple[OfferedChallenge, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """An order with all that is offered. `status` as in RFC 8555 section 7.1.6; `account` is the account's URL."""

    order: str
    status: str
    expires: datetime | None
    account: str
    names: tuple[OfferedName, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Give the names that are not proven."""
        return tuple(one.hostname for one in self.names if one.status != "valid")


@dataclass(frozen=True, slots=True)
class Way:
    """How a person wants a name proven: a method of ours presents; with `present` False somebody else has published.

    `type` is that of the challenge.
    """

    type: str
    method: MethodSpec | None = None
    present: bool = True
