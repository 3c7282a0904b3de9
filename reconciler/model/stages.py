"""An order taken apart into its stages: what the CA offers for each name, and what a person may say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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

    `method` is the declared ChallengeMethod that would be used, None if there is none of this type. `by_person`: a
    person was asked for its answer, as that method only prints it, or as it was picked so.
    """

    type: str
    status: str
    url: str
    token: str
    payload: str
    method: str | None = None
    record: Record | None = None
    issuers: tuple[str, ...] = ()
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class OfferedName:
    """One name of the order, `*.` in front of a wildcard; `problem` is what the CA says of a proof that failed.

    `gone` are challenges that a person was asked to answer, and that the CA no longer shows. `to_publish` is the record
    that a person publishes before `solve` proves it as declared, None where nothing is asked of one.
    """

    hostname: str
    status: str
    expires: datetime | None
    challenges: tuple[OfferedChallenge, ...]
    problem: str = ""
    gone: tuple[OfferedChallenge, ...] = ()
    to_publish: Record | None = None


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

    def by(self, ways: Mapping[str, Way]) -> Offer:
        """Give the offer as it is once these ways are gone: whose answers a person publishes is marked."""
        return replace(self, names=tuple(_by(name, ways.get(name.hostname)) for name in self.names))

    def now(self, statuses: Mapping[str, str]) -> Offer:
        """Give the offer with what became of these names; a name that is `invalid` has no challenge to answer left."""
        return replace(self, names=tuple(_now(name, statuses.get(name.hostname)) for name in self.names))


@dataclass(frozen=True, slots=True)
class Way:
    """How a person wants a name proven: a method of ours presents; with `present` False somebody else has published.

    `type` is that of the challenge.
    """

    type: str
    method: MethodSpec | None = None
    present: bool = True

    @property
    def by_person(self) -> bool:
        """Tell whether a person publishes the answer, and takes it away; that of dns-persist-01 stays."""
        if not self.present:
            return self.type != "dns-persist-01"
        return self.method is not None and by_person(self.method)


def _by(name: OfferedName, way: Way | None) -> OfferedName:
    if way is None:
        return name
    picked = way.type if way.by_person else None
    marked = (replace(one, by_person=one.by_person or one.type == picked) for one in name.challenges)
    return replace(name, challenges=tuple(marked))


def _now(name: OfferedName, status: str | None) -> OfferedName:
    if status is None:
        return name
    ended = status == "invalid"
    challenges = tuple(replace(one, status=status) if ended else one for one in name.challenges)
    return replace(name, status=status, challenges=challenges)


def by_person(method: MethodSpec) -> bool:
    """Tell whether a method only prints what a person has to publish."""
    return method.type in {"dns-01", "dns-account-01"} and method.provider.type == "manual"
