"""What is in flight at a CA or stands in the world for it, and the accounts there (RFC 8555)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from reconciler.model.desired import DnsProviderSpec

_TRIED_MOST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ChosenChallenge:
    """The challenge that was picked for one name of an order; `by_person`: whose answer a person publishes."""

    hostname: str
    method: str
    type: str
    token: str
    url: str
    authorization: str
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order in flight. Written as an intent (no `url`) before newOrder goes out, and with the URL right after.

    Of an order in a person's hands, as the CA last told: `proven` are the names that are, `ends` is when the order or
    the first of its authorizations ends, `asked` is all that a person was asked to publish.
    """

    issuer: str
    directory: str
    account: str
    hostnames: tuple[str, ...]
    reason: str
    spec_digest: str
    intent_at: datetime
    profile: str | None = None
    url: str | None = None
    finalize: str | None = None
    expires: datetime | None = None
    chosen: Mapping[str, ChosenChallenge] = field(default_factory=dict)
    answered: tuple[str, ...] = ()
    stage: Literal["auto", "byHand"] = "auto"
    proven: tuple[str, ...] = ()
    ends: datetime | None = None
    asked: tuple[ChosenChallenge, ...] = ()
    v: int = 1

    @property
    def over_at(self) -> datetime | None:
        """Give when the order ends, as far as the CA told: by itself, or with the first of its authorizations."""
        return min(filter(None, (self.expires, self.ends)), default=None)

    def is_over(self, now: datetime) -> bool:
        """Tell whether it has ended by then."""
        return self.over_at is not None and self.over_at <= now

    def goes_on(self, now: datetime) -> bool:
        """Tell whether the CA has it and it has not ended: then what was put into the world for it is still needed."""
        return self.url is not None and not self.is_over(now)


@dataclass(frozen=True, slots=True)
class Undo:
    """Something we put into the world for a challenge: written down before it is done, undone by value.

    `kind` `token`: `place` is empty and `name` the token, in the store's `tokens/`; `kind` `alpn`: the same, with the
    challenge's token as `value`. `kind` `webroot`: `place` is the directory and `name` the file; `identity`
    (`device:inode`) is known once it was written. `kind` `txt`: `place` is the DNS zone ("" where none is needed),
    `name` the owner name, `value` the text, `provider` who takes it away (without secrets, so that it works also when
    the method is gone). `kind` `address`: the same for an A or AAAA record, which stays for as long as its site wants
    it; `identity` is `ours` once it was published, `theirs` where it stood there before, and None until either is
    known, or once it was found to be gone; `looked` is when it was last looked for. `presented` is when it was first
    put there (aware UTC), None where an earlier version wrote it. `until` is set by who only tries a way, without an
    order: he takes it away himself before then, and nobody else does so earlier. `problem` says why it could not be
    taken away when that was last tried.
    """

    id: str
    site: str
    kind: Literal["token", "webroot", "alpn", "txt", "address"]
    place: str
    name: str
    identity: str | None = None
    made: tuple[str, ...] = ()
    value: str = ""
    provider: DnsProviderSpec | None = None
    looked: datetime | None = None
    presented: datetime | None = None
    until: datetime | None = None
    problem: str = ""
    v: int = 1

    def is_tried(self, now: datetime) -> bool:
        """Tell whether somebody tries with it; what ends in a far future was written by a wrong clock."""
        return self.until is not None and now < self.until <= now + _TRIED_MOST

    @property
    def shown(self) -> str:
        """Say what it is the way a person would look for it."""
        match self.kind:
            case "txt":
                return f'{self.name}. IN TXT "{self.value}"'
            case "webroot":
                return f"{self.place}/{self.name}"
            case "address":
                return f"{self.name}. {self.value}"
            case "token" | "alpn":
                return f"the answer {self.name}"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A registered ACME account; the key is kept apart. `url` is None between making the key and the CA's answer.

    `caa` are the names by which CAA records know the CA, as its directory last told them (RFC 8555 section 7.1.1).
    """

    directory: str
    name: str
    url: str | None = None
    contact: tuple[str, ...] = ()
    caa: tuple[str, ...] = ()
    terms: str | None = None
    v: int = 1
