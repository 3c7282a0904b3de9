"""The protocols between rooms: what a plug-in, the store and the engine promise each other. Shapes only.

One contract suite a protocol runs over every implementation (`tests/contracts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from reconciler.errors import Failed
from reconciler.model.changes import Hold, Plan
from reconciler.model.desired import (
    DesiredSite,
    DnsSpec,
    IssuerSpec,
    MethodSpec,
    StartTlsProtocol,
    TargetSpec,
    TargetUse,
)
from reconciler.model.names import Part
from reconciler.model.observed import (
    AccountRecord,
    CertificateFacts,
    Inventory,
    Live,
    Memory,
    OrderRecord,
    Proven,
    Revision,
    RevisionMeta,
    TargetRecord,
    Undo,
)
from reconciler.model.outcomes import Outcome
from reconciler.model.stages import Offer, Record, Way
from reconciler.model.text import Secret


class Clock(Protocol):
    """Time, as an argument: nothing below reads a clock of its own."""

    def now(self) -> datetime:
        """Give the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds for deadlines inside this process."""
        ...

    def wait(self, seconds: float) -> bool:
        """Sleep; True if the stop flag was set, at once then."""
        ...

    def stopping(self) -> bool:
        """Tell whether the stop flag is set."""
        ...


# --- the store -------------------------------------------------------------------------------------------------------


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

    def live(self, sites: Iterable[str]) -> Mapping[str, Live]:
        """Give what is in use, judged: pair, dates readable, complete."""
        ...

    def revisions(self, site: str) -> tuple[Revision, ...]:
        """Give the valid revisions, newest first."""
        ...

    def memory(self, sites: Iterable[str]) -> Mapping[str, Memory]:
        """Give what is remembered; an empty Memory where there is none or it is broken."""
        ...

    def orders(self, sites: Iterable[str]) -> Mapping[str, OrderRecord]:
        """Give the orders in flight."""
        ...

    def meaning(self, sites: Iterable[str]) -> Mapping[str, DesiredSite]:
        """Give the last valid meaning of each site's manifests."""
        ...

    def inventory(self, target: str) -> Mapping[str, Inventory]:
        """Give what is ours in a target, by site."""
        ...

    def inventory_of(self, target: str, site: str) -> Inventory | None:
        """Give what is ours of one site in a target."""
        ...

    def targets(self) -> Mapping[str, TargetRecord]:
        """Give every target as it was last installed."""
        ...

    def switching(self, target: str) -> bytes | None:
        """Give the record of a switch that was left half-way, None if there is none."""
        ...

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        """Give the accounts by directory URL and name."""
        ...

    def undo(self) -> tuple[Undo, ...]:
        """Give what is still in the world and must be taken away."""
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

    def archive(self, lease: Lease, site: str) -> None:
        """Take a whole site out of use: live pointer, revisions and order go to `archive/`, kept 30 days."""
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
        """Store a revision, complete or not at all, and give its id; the same fingerprint twice is one revision."""
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


class Cache(Protocol):
    """A cache of inputs, safe to delete at any time: rows of (namespace, key) with a signature and a payload."""

    def signatures(self, namespace: str) -> Mapping[str, str]:
        """Give every key's signature."""
        ...

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        """Give signature and payload by key; of all keys if None."""
        ...

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> None:
        """Write rows and drop others in one transaction; does nothing where the cache cannot be written."""
        ...


# --- issuers and challenges ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """What an issuer is asked for. `methods[hostname]` are the ways, in the order in which they are to be tried.

    `by_hand`: a new order is a person's from its first moment.
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


@dataclass(frozen=True, slots=True)
class Issued:
    """What an issuer gave, already verified against what was asked. `chain` may be empty. PEM, re-encoded by us."""

    certificate: bytes
    chain: bytes
    facts: CertificateFacts
    directory: str | None = None
    account: str | None = None
    profile: str | None = None
    challenges: Mapping[str, Proven] = field(default_factory=dict)


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

    def settle(self, since: datetime) -> None:
        """Wait until all that was presented can be seen, together. `since` is when the order began.

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
    """An issuer whose orders can be taken apart; both raise what `obtain` does."""

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
    """A way to prove control of names: presents by value, cleans up by value (RFC 8555 section 8)."""

    type: str

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:
        """Give the record of what `present` will put into the world."""
        ...

    def present(self, thing: Undo, key_authorization: str) -> Undo:
        """Do it; the record comes back with what is known now."""
        ...

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:
        """Wait until the CA can see them: at once where nothing needs time. `since` is when the order began.

        Raises Waiting where the wait goes on later with the same order, Failed where it was in vain.
        """
        ...

    def clean_up(self, thing: Undo) -> None:
        """Undo it; nothing to undo is no failure."""
        ...


class DnsProvider(Protocol):
    """Who writes TXT records: adds and removes single values, never a whole set, and knows no other record."""

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Add a value beside those that are there; one that is there already is as good. Raises Failed."""
        ...

    def remove(self, zone: str, name: str, value: str) -> None:
        """Take this value away; one that is not there is no failure. Raises Failed where it cannot be done now."""
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
        """Wait until every name server has them. Raises Failed(NotPropagated)."""
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

    def self_test(self, method: MethodSpec, hostname: str, token: str, key_authorization: str) -> None:
        """Look at what was presented the way a CA will. Raises Failed(SelfTestFailed); bounded to a few seconds."""
        ...

    def clean_up(self, thing: Undo) -> None:
        """Undo one thing, also of a method that is no longer declared; raises Failed where it cannot be done now."""
        ...


# --- targets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteOnTarget:
    """A site as a target sees it. `live` is the directory by which servers read its key and chain."""

    site: str
    hostnames: tuple[str, ...]
    use: TargetUse
    live: str
    server: str = ""
    http01_webroot: str | None = None

    @classmethod
    def of(cls, site: DesiredSite, use: TargetUse, live: str) -> SiteOnTarget:
        """Make it of a site and one of its uses; the webroot is the built-in http-01 method's if a name uses that."""
        ways = (method.way for tried in site.methods.values() for method in tried if method.type == "http-01")
        webroot = next((way.directory for way in ways if way.type == "webroot" and way.builtin), None)
        return cls(site.name, site.names, use, live, site.server, webroot)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that should stand in a target. `text` is set for configuration only; material comes from the revision.

    `fragment`: `text` is the site's block in a file that the target's sites share (`model.fragments`). `own_directory`:
    it stands in the target's own directory, which is made where it is missing; true of all configuration.
    """

    path: str
    part: Part
    mode: int
    owner: str | None = None
    group: str | None = None
    text: str | None = None
    fragment: bool = False
    own_directory: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that a batch has just changed."""

    path: str
    part: Part
    how: Literal["create", "replace", "remove"]


@dataclass(frozen=True, slots=True)
class Activated:
    """How a server took up what is installed. `how` is for a person: `reloaded`, `replaced by the runtime socket`."""

    ok: bool
    output: str
    how: str = "reloaded"


@dataclass(frozen=True, slots=True)
class Named:
    """A certificate and its key that a configuration names.

    `key` None: it stands in the certificate's file. `alone`: certificates without a key, such as a chain.
    """

    certificate: str
    key: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one site cannot be rendered: a documented reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Tested:
    """The server's own test. `blamed` are files of ours that its message names.

    `unusable` are those of them that name a certificate or key with which the server can never be reloaded.
    """

    ok: bool
    output: str
    blamed: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """A handshake that should show the site's certificate."""

    address: str
    port: int
    sni: str
    starttls: StartTlsProtocol | None = None


class Hands(Protocol):
    """What a target may have done on the machine: its own declared commands, looks at its own directory and socket."""

    def run(self, what: Literal["test", "reload"], argv: Sequence[str]) -> tuple[int, str]:
        """Run a declared command; exit code (or -1 at the deadline) and cleaned output."""
        ...

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:
        """Run a declared command with a task (JSON) on its standard input; as `run`."""
        ...

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        """Check every certificate and key that the files of a target's directory name: readable, parsed, a pair.

        `named` reads them out of a file's text. Gives a sentence for each file (by path) that names a bad one.
        """
        ...

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        """Say one command to a runtime socket; `payload` is the path of a PEM file of ours that goes along.

        Gives whether there was an answer, and the answer or why there was none, cleaned.
        """
        ...


class Target(Protocol):
    """A server type. `copies` tells that key and certificate are copied out of the store."""

    copies: bool

    @property
    def spec(self) -> TargetSpec:
        """Give the resolved target."""
        ...

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's files."""
        ...

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:
        """Give the files that belong to the target and to no site."""
        ...

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Ask the server whether its configuration as it stands is good; `paths` are the files of ours in question."""
        ...

    def replaces(self, changed: Collection[Changed]) -> bool:
        """Tell whether the server can take up these files without a reload, and so without a test of the whole."""
        ...

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:
        """Make the server take up what is installed; `changed` is what this batch did. A good answer proves nothing."""
        ...

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give the handshakes that prove a site."""
        ...


# --- the pass --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """What a pass looks at: `sites` None is all. `full` is true only for a whole tree that the state follows."""

    sites: frozenset[str] | None = None
    full: bool = False
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What the manifests say. `names` are all declared sites; `sites` those of the scope that were resolved.

    `held` are objects that do not parse or conflict (under the watch loop their last good meaning is in `sites`).
    """

    names: frozenset[str]
    sites: Mapping[str, DesiredSite]
    targets: Mapping[str, TargetSpec] = field(default_factory=dict)
    issuers: Mapping[str, IssuerSpec] = field(default_factory=dict)
    held: tuple[Hold, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person allowed. `batching` is true under the watch loop: `reload.delay` holds there alone."""

    removals: int | None = None
    reissues: int | None = None
    batching: bool = False


class Execute(Protocol):
    """What is done with a plan: `preview` nothing, the executor everything."""

    def __call__(self, plan: Plan, declared: Declared) -> Iterator[Outcome]:
        """Give each change's outcome as it comes."""
        ...
