"""What every issuer is given by `wiring`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from reconciler.model.desired import SecretRef
    from reconciler.model.observed import AccountRecord
    from reconciler.model.ports import Clock, Lease
    from reconciler.model.text import Secret


class Keeper(Protocol):
    """The part of the store that issuers use: accounts and the embedded CA, with their keys. See `model.ports`."""

    def claim(self, scope: str, verb: str, wait: float) -> AbstractContextManager[Lease]:
        """Take a lease within `wait` seconds or raise HeldBy."""
        ...

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        """Give the accounts by directory URL and name."""
        ...

    def account_key(self, directory: str, name: str) -> Secret | None:
        """Give an account's key, None if there is none."""
        ...

    def put_account(self, lease: Lease, record: AccountRecord, key: Secret) -> None:
        """Keep an account and its key."""
        ...

    def ca(self, name: str) -> tuple[Secret, bytes] | None:
        """Give an embedded CA's key and certificate (PEM), None before its first use."""
        ...

    def put_ca(self, lease: Lease, name: str, key: Secret, certificate: bytes) -> None:
        """Keep an embedded CA."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """Store, clock, and the way to a declared secret (raises Failed, and never shows it)."""

    store: Keeper
    clock: Clock
    read_secret: Callable[[SecretRef, str], Secret]
