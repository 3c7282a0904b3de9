"""What is: read from the store and from installed files, never from the network. Made by `store` and `observe`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from reconciler.model.desired import DnsProviderSpec, TargetSpec
from reconciler.model.names import Part, Trust


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says. `serial` hex; `fingerprint` sha256 of the DER; `spki` sha256 of the public key's DER."""

    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    hostnames: tuple[str, ...]
    key_type: str
    spki: str
    issuer_name: str


@dataclass(frozen=True, slots=True)
class Proven:
    """How control of one name was proven."""

    method: str
    type: str


@dataclass(frozen=True, slots=True)
class RevisionMeta:
    """Who made a revision, how and why. Goes to `meta.json`.

    `requested` are the requests of a person (annotation, `renew`) that it answers: known although memory was lost.
    """

    issuer: str
    trust: Trust
    directory: str | None
    account: str | None
    profile: str | None
    challenges: Mapping[str, Proven]
    spec_digest: str
    reason: str
    at: datetime
    placeholder: bool = False
    requested: tuple[str, ...] = ()
    v: int = 1


@dataclass(frozen=True, slots=True)
class NoRevision:
    """Nothing is live."""

    type: Literal["none"] = "none"


@dataclass(frozen=True, slots=True)
class BrokenRevision:
    """Something is live but cannot be used. `reason` is `Corrupt` or `KeyMismatch`."""

    id: str
    reason: Literal["Corrupt", "KeyMismatch"]
    message: str
    type: Literal["broken"] = "broken"


@dataclass(frozen=True, slots=True)
class Revision:
    """A complete, immutable revision: the pair fits, the chain is there."""

    id: str
    facts: CertificateFacts
    meta: RevisionMeta
    type: Literal["revision"] = "revision"


Live = NoRevision | BrokenRevision | Revision


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The newest failure, in the other side's own (cleaned) words. `reason` is a documented CamelCase word."""

    at: datetime
    reason: str
    detail: str
    hostname: str | None = None
    method: str | None = None
    type: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row of one piece of work, and when it is tried again. `digest` is the spec they happened to."""

    local: int = 0
    ca: int = 0
    since: datetime | None = None
    next_attempt: datetime | None = None
    last: LastFailure | None = None
    digest: str = ""
    stalled: str | None = None

    @property
    def count(self) -> int:
        """Count both kinds."""
        return self.local + self.ca


@dataclass(frozen=True, slots=True)
class NameMemory:
    """What is remembered of one hostname whose proof failed: how often by which method, and when it is tried again.

    `dropped`: the certificate in use was issued without it, so that orders that have another cause leave it out too.
    """

    failures: Failures = field(default_factory=Failures)
    methods: Mapping[str, int] = field(default_factory=dict)
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class RenewalChoice:
    """The renewal instant of one revision: chosen once, then kept."""

    revision: str
    at: datetime
    reason: str
    lookahead: str = ""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """What one handshake showed. `fingerprint` is None if there was no certificate; `reason` then says why."""

    port: int
    fingerprint: str | None
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """The last proof of a site on a target: what was expected (`revision`) and what each port showed."""

    target: str
    revision: str
    at: datetime
    ports: tuple[PortSeen, ...]
    ok: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """A person went back to a stored `revision`; it stays while it is live and the site's spec has this `digest`."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What we remember of a site between passes. Goes to `status/<site>.json`; `version` counts its writes.

    `failures` has the key `issue` or `target/<name>`; `names` are hostnames whose proof failed. `renew_requested` is
    set by the verb `renew` and cleared by success.
    """

    version: int = 0
    failures: Mapping[str, Failures] = field(default_factory=dict)
    renewal: RenewalChoice | None = None
    handled_renew_at: str | None = None
    handled_retry_at: str | None = None
    renew_requested: str | None = None
    expired_since_attempt: datetime | None = None
    served: Mapping[str, Served] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, NameMemory] = field(default_factory=dict)
    pinned: Pin | None = None
    v: int = 1


@dataclass(frozen=True, slots=True)
class ChosenChallenge:
    """The challenge that was picked for one name of an order."""

    hostname: str
    method: str
    type: str
    token: str
    url: str
    authorization: str


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order in flight. Written as an intent (no `url`) before newOrder goes out, and with the URL right after."""

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
    finalized: bool = False
    stage: Literal["auto", "byHand"] = "auto"
    v: int = 1


@dataclass(frozen=True, slots=True)
class Undo:
    """Something we put into the world for a challenge: written down before it is done, undone by value.

    `kind` `token`: `place` is empty and `name` the token, in the store's `tokens/`; `kind` `alpn`: the same, with the
    challenge's token as `value`. `kind` `webroot`: `place` is the directory and `name` the file; `identity`
    (`device:inode`) is known once it was written. `kind` `txt`: `place` is the DNS zone ("" where none is needed),
    `name` the owner name, `value` the text, `provider` who takes it away (without secrets, so that it works also when
    the method is gone). `kind` `address`: the same for an A or AAAA record, which stays for as long as its site wants
    it; `identity` is `ours` once it was published, `theirs` where it stood there before.
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
    v: int = 1


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A registered ACME account; the key is kept apart. `url` is None between making the key and the CA's answer."""

    directory: str
    name: str
    url: str | None = None
    contact: tuple[str, ...] = ()
    terms: str | None = None
    v: int = 1


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of ours as we wrote it. `signature` is its stat right after: an untouched file is not read again.

    `fragment`: only the site's block in a file that sites share is meant; `digest` is the block's.
    """

    path: str
    part: Part
    digest: str
    mode: int
    uid: int
    gid: int
    signature: str
    revision: str | None = None
    fragment: bool = False


@dataclass(frozen=True, slots=True)
class Inventory:
    """What we own of one site in one target, and what its server had loaded at its last good reload.

    `loaded` is the live revision then, `loaded_digest` the digest of the installed files then.
    """

    site: str
    files: tuple[InstalledFile, ...] = ()
    loaded: str | None = None
    loaded_digest: str | None = None
    v: int = 1

    @property
    def revision(self) -> str | None:
        """Give the revision that copies hold, None if there are none or they differ."""
        held = {file.revision for file in self.files if file.revision}
        return held.pop() if len(held) == 1 else None

    @property
    def digest(self) -> str:
        """Digest the files as we wrote them: paths, contents, modes, owners. `loaded_digest` is compared with it."""
        rows = sorted(f"{file.path}\0{file.digest}\0{file.mode:o}\0{file.uid}\0{file.gid}" for file in self.files)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A target as it was last installed (its removal may come after its manifest is gone)."""

    spec: TargetSpec
    last_reload: datetime | None = None
    failures: Failures = field(default_factory=Failures)
    shared: Inventory = field(default_factory=lambda: Inventory(site=""))
    v: int = 1


class FileChange(StrEnum):
    """How a file on disk differs from what is wanted."""

    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    RESTORE = "restore"
    ADOPT = "adopt"
    REMOVE = "remove"
    FOREIGN = "foreign"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file that a site wants in a target (or has there and no longer wants), compared with the disk.

    RESTORE: ours, and someone changed it. FOREIGN: not ours, stands where ours should (`existing: refuse`).
    REFUSED: the path cannot be used; `message` says why. `before` and `after` are texts of `config` files only.
    """

    path: str
    part: Part
    change: FileChange
    message: str = ""
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OnTarget:
    """A site in a target: its files compared, what the copies hold and what the server has loaded."""

    target: str
    files: tuple[FileFact, ...] = ()
    copies: bool = False
    inventory: Inventory | None = None
    digest: str = ""
    problem: LastFailure | None = None


@dataclass(frozen=True, slots=True)
class ObservedSite:
    """All that a decision about one site rests on. `others` are further valid revisions, newest first."""

    name: str
    live: Live = field(default_factory=NoRevision)
    others: tuple[Revision, ...] = ()
    memory: Memory = field(default_factory=Memory)
    order: OrderRecord | None = None
    on: Mapping[str, OnTarget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedTarget:
    """What concerns a target as a whole: its record, its shared files compared, a switch left half-way."""

    name: str
    record: TargetRecord | None = None
    shared: OnTarget | None = None
    switching: bool = False


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A site that the store knows and no manifest declares: what it has installed where, by inventory."""

    name: str
    live: str | None
    installed: Mapping[str, Inventory] = field(default_factory=dict)
    prune_disabled: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What one pass observed. `accounts` maps issuer names to their account, None where there is none yet.

    `orphaned_accounts` maps an issuer to the account URL that revisions in the store name although its key is gone.
    `abandoned` is filled by a full pass only; `known` counts the sites the store knows. `addresses` are the machine's
    global ones, if a site publishes them.
    """

    sites: Mapping[str, ObservedSite] = field(default_factory=dict)
    targets: Mapping[str, ObservedTarget] = field(default_factory=dict)
    accounts: Mapping[str, AccountRecord | None] = field(default_factory=dict)
    orphaned_accounts: Mapping[str, str] = field(default_factory=dict)
    abandoned: tuple[Abandoned, ...] = ()
    undo: tuple[Undo, ...] = ()
    known: int = 0
    addresses: tuple[str, ...] = ()
