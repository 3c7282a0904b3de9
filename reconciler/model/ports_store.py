"""What the store promises, cut by role: a room is given only what it uses. Values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reconciler.model.desired import DesiredSite
from reconciler.model.observed import (
    AccountRecord,
    Inventory,
    Live,
    Memory,
    OrderRecord,
    Revision,
    RevisionMeta,
    TargetRecord,
    Undo,
)
from reconciler.model.text import Secret


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one scope (`run`, `site/NAME`, `target/NAME`, `account/HOST/NAME`)."""

    scope: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A complete certificate with its key. PEM; `fullchain` is `certificate` and `chain`."""

    key: Secret
    certificate: bytes
    chain: bytes

    @property
    def fullchain(self) -> bytes:
        """Give leaf and intermediates."""
        return self.certificate + self.chain


class Leases(Protocol):
    """Who may write what, now."""

    def claim(self, scope: str, verb: str, wait: float) -> AbstractContextManager[Lease]:
        """Take the lease within `wait` seconds or raise HeldBy."""
        ...

    def holder(self, scope: str) -> tuple[int, str, str] | None:
        """Give pid, verb and since of who holds it now, None if nobody."""
        ...


class Reader(Protocol):
    """What is known of sites; never a key. Reads come in batches."""

    def sites(self) -> frozenset[str]:
        """Give every site that has a live pointer, revisions, a meaning or an inventory."""
        ...

    def pointers(self) -> frozenset[str]:
        """Give every name with a live pointer, that of a renamed site too: a fifth of the cost of `sites`."""
        ...

    def live(self, sites: Iterable[str]) -> Mapping[str, Live]:
        """Give what is in use, judged: pair, dates readable, complete."""
        ...

    def heir(self, site: str) -> str | None:
        """Give the name that a site was renamed to, while its pointer still leads there."""
        ...

    def revisions(self, site: str) -> tuple[Revision, ...]:
        """Give the valid revisions, newest first."""
        ...

    def archived(self, sites: Iterable[str]) -> Mapping[str, tuple[Revision, ...]]:
        """Give the valid revisions in the archive, newest first; no site that has none."""
        ...

    def memory(self, sites: Iterable[str]) -> Mapping[str, Memory]:
        """Give what is remembered; an empty Memory where there is none or it is broken."""
        ...

    def damage(self, sites: Iterable[str]) -> Mapping[str, str]:
        """Give sites at whose paths stands no file of the store, for the others nothing: a sentence with the remedy."""
        ...

    def orders(self, sites: Iterable[str]) -> Mapping[str, OrderRecord]:
        """Give the orders in flight."""
        ...

    def meaning(self, sites: Iterable[str]) -> Mapping[str, DesiredSite]:
        """Give the last valid meaning of each site's manifests."""
        ...

    def inventory(self, target: str) -> Mapping[str, Inventory]:
        """Give what is ours in a target, by site; of those whose record is damaged nothing."""
        ...

    def installed_on(self, target: str) -> frozenset[str]:
        """Give the sites of which a target has a record, unread."""
        ...

    def inventory_of(self, target: str, site: str) -> Inventory | None:
        """Give what is ours of one site in a target; None where nothing is, or the record is damaged."""
        ...

    def lost(self, target: str, site: str) -> str:
        """Say what became of the record of one site in a target; empty where it is good, or there is none."""
        ...

    def targets(self) -> Mapping[str, TargetRecord]:
        """Give every target as it was last installed, but for those whose record is damaged."""
        ...

    def lost_targets(self, good: Collection[str] = ()) -> Mapping[str, str]:
        """Give the targets whose own record is damaged, each with one sentence; `good` ones were read already."""
        ...

    def switching(self, target: str) -> bytes | None:
        """Give the record of a switch that was left half-way, None if there is none."""
        ...

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        """Give the accounts by directory URL and name."""
        ...

    def moved(self) -> bool:
        """Tell whether another machine used this state last."""
        ...

    def undo(self, only: str | None = None) -> tuple[Undo, ...]:
        """Give what is still in the world and must be taken away; `only`: that of one id, if it is still there."""
        ...

    def paths_of(self, site: str) -> tuple[str, ...]:
        """Give the store's own paths whose stat tells whether anything about the site changed."""
        ...

    def renamed_only(self) -> tuple[str, ...]:
        """Give the store's directories whose files are changed by renames alone, so that their own stat tells of it."""
        ...


class Writer(Protocol):
    """The writes of memory and pointers. Every one carries a lease; a stale one raises LeaseLost."""

    def put_meaning(self, lease: Lease, site: DesiredSite) -> None:
        """Keep the meaning of a site's manifests."""
        ...

    def remember(self, site: str, change: Callable[[Memory], Memory]) -> Memory:
        """Change a site's memory by compare-and-set, repeated until it wins; no lease, no lock."""
        ...

    def activate(self, lease: Lease, site: str, revision: str, expected: str | None) -> None:
        """Move the live pointer if it still is `expected` (None: nothing live); else Conflict."""
        ...

    def archive(self, lease: Lease, site: str, heir: str | None = None) -> None:
        """Take a whole site out of use: live pointer, revisions and order go to `archive/`, kept 30 days.

        With an `heir`, the name that the site has now, the pointer leads on to that one's for 30 days.
        """
        ...

    def unarchive(self, lease: Lease, site: str, revision: str) -> None:
        """Take a revision back out of the archive; nothing happens if it is not there."""
        ...

    def trim(self, lease: Lease, site: str, keep: int, needed: Collection[str]) -> None:
        """Archive all but the newest `keep` revisions; never the live one, nor those in `needed`."""
        ...

    def put_order(self, lease: Lease, site: str, order: OrderRecord) -> None:
        """Keep an order (or the intent of one)."""
        ...

    def drop_order(self, lease: Lease, site: str, *, keep_key: bool) -> None:
        """Forget an order; its pending key stays for the next attempt if `keep_key`."""
        ...

    def put_undo(self, thing: Undo) -> None:
        """Write down what must be undone, before it is done."""
        ...

    def undone(self, thing: Undo) -> None:
        """Forget it."""
        ...

    def put_inventory(self, lease: Lease, target: str, entries: Mapping[str, Inventory | None]) -> None:
        """Keep what is ours in a target; None removes an entry."""
        ...

    def put_target(self, lease: Lease, record: TargetRecord) -> None:
        """Keep a target as installed."""
        ...

    def drop_target(self, lease: Lease, target: str) -> None:
        """Forget a target whose inventory is empty."""
        ...

    def put_switch(self, lease: Lease, target: str, record: bytes | None) -> None:
        """Write down a switch (former bytes, new digests) before it is made; None once it is over."""
        ...

    def event(self, site: str, reason: str, message: str, at: datetime) -> None:
        """Record an event; bounded to 50 a site and 90 days."""
        ...


class Material(Protocol):
    """The only way to keys. Given to `execute` and to issuers alone."""

    def put_revision(self, lease: Lease, site: str, bundle: Bundle, meta: RevisionMeta) -> str:
        """Store a revision, complete or not at all, and give its id; the same with no other chain is one revision."""
        ...

    def bundle(self, site: str, revision: str) -> Bundle:
        """Give a revision with its key."""
        ...

    def pending_key(
        self, lease: Lease, site: str, make: Callable[[], Secret], fits: Callable[[Secret], bool] = lambda _key: True
    ) -> Secret:
        """Give the key of the order in flight, made and stored on first use."""
        ...

    def account_key(self, directory: str, name: str) -> Secret | None:
        """Give an account's key, None if there is none."""
        ...

    def put_account(self, lease: Lease, record: AccountRecord, key: Secret) -> None:
        """Keep an account and its key."""
        ...

    def ca(self, name: str) -> tuple[Secret, bytes] | None:
        """Give the embedded CA's key and certificate (PEM), None before its first use."""
        ...

    def put_ca(self, lease: Lease, name: str, key: Secret, certificate: bytes) -> None:
        """Keep the embedded CA."""
        ...

    def put_token(self, token: str, key_authorization: str) -> None:
        """Publish an http-01 answer to every process that listens; the undo record comes first."""
        ...

    def drop_token(self, token: str) -> None:
        """Take it away."""
        ...


class Store(Leases, Reader, Writer, Material, Protocol):
    """All roles; only `wiring` sees it whole."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is written into one namespace of a cache: rows (signature and payload by key), and keys that go.

    `whole`: the rows are all that the namespace has from now on.
    """

    rows: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    drop: Collection[str] = ()
    whole: bool = False


class Cache(Protocol):
    """A cache of inputs, safe to delete at any time: rows of (namespace, key) with a signature and a payload."""

    def signatures(self, namespace: str) -> Mapping[str, str]:
        """Give every key's signature."""
        ...

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        """Give signature and payload by key; of all keys if None."""
        ...

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> bool:
        """Write rows and drop others in one transaction; False where the cache cannot be written."""
        ...

    def put_all(self, writes: Mapping[str, Rewrite], row: tuple[str, str], seen: str | None) -> bool:
        """Write several namespaces in one transaction, all or nothing; tell whether it was done.

        Only if the `row` (namespace, key) has the signature `seen` still; None: there is no such row. Compared in the
        transaction, so that nobody builds on what another process has replaced since.
        """
        ...
