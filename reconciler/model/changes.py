"""What will be done and what will not: changes, holds, the plan.

Values that serialise, so that a reviewed plan can be applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.names import Part
from reconciler.model.observed import FileChange, Proven


class Verb(StrEnum):
    """What a change does."""

    REGISTER = "register"
    ISSUE = "issue"
    ACTIVATE = "activate"
    INSTALL = "install"
    UNINSTALL = "uninstall"
    RELOAD = "reload"
    ARCHIVE = "archive"
    PUBLISH = "publish"
    UNPUBLISH = "unpublish"
    CLEAN_UP = "clean-up"
    REFRESH = "refresh"


class Reason(StrEnum):
    """Every reason of a change, a hold or a condition. The sentence for a person stands in `SENTENCES`."""

    # issue
    MISSING = "Missing"
    PLACEHOLDER = "Placeholder"
    HOSTNAMES_DIFFER = "HostnamesDiffer"
    ISSUER_CHANGED = "IssuerChanged"
    KEY_TYPE_DIFFERS = "KeyTypeDiffers"
    PROFILE_DIFFERS = "ProfileDiffers"
    IMPORT_CHANGED = "ImportChanged"
    KEY_MISMATCH = "KeyMismatch"
    CORRUPT = "Corrupt"
    RENEWAL_DUE = "RenewalDue"
    REISSUE_WANTED = "ReissueWanted"
    REQUESTED_BY_USER = "RequestedByUser"
    RENAMED = "Renamed"
    # install, reload
    NOT_INSTALLED = "NotInstalled"
    CERTIFICATE_CHANGED = "CertificateChanged"
    CONFIGURATION_CHANGED = "ConfigurationChanged"
    DRIFTED = "Drifted"
    NOT_LOADED = "NotLoaded"
    NOT_SERVED = "NotServed"
    INTERRUPTED = "Interrupted"
    # uninstall, archive
    NOT_DECLARED = "NotDeclared"
    NO_LONGER_WANTED = "NoLongerWanted"
    LEFT_BEHIND = "LeftBehind"
    # publish
    NOT_PUBLISHED = "NotPublished"
    # refresh
    LOOK_AGAIN = "LookAgain"
    # holds
    BACKOFF = "Backoff"
    STALLED = "Stalled"
    PINNED = "Pinned"
    SUSPENDED = "Suspended"
    TERMS_NOT_AGREED = "TermsNotAgreed"
    WOULD_LOSE_TRUST = "WouldLoseTrust"
    IMPORT_INVALID = "ImportInvalid"
    IMPORT_ENDS = "ImportEnds"
    STORE_IS_OLDER = "StoreIsOlder"
    MOVED_STORE = "MovedStore"
    ACCOUNT_MISSING = "AccountMissing"
    STORE_DAMAGED = "StoreDamaged"
    RATE_LIMITED = "RateLimited"
    PAUSED = "Paused"
    CLOCK_WRONG = "ClockWrong"
    IN_FLIGHT = "InFlight"
    WAITING_FOR_SOLVE = "WaitingForSolve"
    WAITING_FOR_REQUEST = "WaitingForRequest"
    STAGE_EXPIRED = "StageExpired"
    SELF_TEST_FAILED = "SelfTestFailed"
    UNROUTABLE = "Unroutable"
    CAA_FORBIDS = "CaaForbids"
    NAME_FAILED = "NameFailed"
    INVALID_MANIFEST = "InvalidManifest"
    HOSTNAME_TAKEN = "HostnameTaken"
    HANDOVER_PENDING = "HandoverPending"
    TARGET_BROKEN = "TargetBroken"
    REJECTED_BY_SERVER = "RejectedByServer"
    SERVER_ENDED = "ServerEnded"
    TAKEN_OUT = "TakenOut"
    COMMAND_FAILED = "CommandFailed"
    DISK_FULL = "DiskFull"
    READ_ONLY_FILESYSTEM = "ReadOnlyFilesystem"
    PERMISSION_DENIED = "PermissionDenied"
    NO_SUCH_DIRECTORY = "NoSuchDirectory"
    DISK_ERROR = "DiskError"
    RELOAD_DELAYED = "ReloadDelayed"
    FOREIGN_FILE = "ForeignFile"
    PATH_REFUSED = "PathRefused"
    TOO_MANY_REMOVALS = "TooManyRemovals"
    TOO_MANY_REISSUES = "TooManyReissues"
    PRUNE_DISABLED = "PruneDisabled"
    # conditions
    ISSUED = "Issued"
    INSTALLED = "Installed"
    SERVED = "Served"
    COVERED = "Covered"
    EXPIRED = "Expired"
    NOT_YET_SEEN = "NotYetSeen"
    NOT_VERIFIED = "NotVerified"
    NO_TARGETS = "NoTargets"
    OLD_CERTIFICATE_SERVED = "OldCertificateServed"
    NOTHING_LISTENS = "NothingListens"
    NOT_INCLUDED = "NotIncluded"
    NAME_SERVED_ELSEWHERE = "NameServedElsewhere"
    DEPENDENCY_FAILED = "DependencyFailed"
    NO_LONGER_PLANNED = "NoLongerPlanned"
    BUG = "Bug"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that a change creates, updates, restores or removes; texts only for configuration.

    `rights` says whose it will be, or how mode and owner are to change; `same` that the content stays as it is.
    """

    path: str
    part: Part
    change: FileChange
    before: str | None = None
    after: str | None = None
    rights: str = ""
    same: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do; `after` are ids that come first.

    `subject` is `site/NAME`, `target/NAME`, `issuer/NAME` or `undo/ID`.
    `decided_on` is a digest of what the decision rests on, so that a stale plan is noticed. `live` is the live
    revision that the decision saw; `revision` the one that `activate` makes live. `hostnames` are those of an order,
    where they are not all; `stops`: the order is made and left to a person. `brought` names the certificate of the
    site's `import` that the decision saw. `former` is the name that a renamed site had, or of one that is archived the
    name that it has now. `heirs` are sites that take over what this change gives up on its target: where theirs
    does not come about there, neither does this one. `restores`: it puts back what the target has loaded, without its
    test. `due`: a reload that has a cause of its own, whatever becomes of the changes before it. `rank` orders work:
    0 expired, 1 near expiry, 2 changed, 3 new.
    """

    verb: Verb
    subject: str
    reason: Reason
    message: str
    desired_digest: str = ""
    decided_on: str = ""
    after: tuple[str, ...] = ()
    site: str | None = None
    target: str | None = None
    issuer: str | None = None
    revision: str | None = None
    live: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    challenges: Mapping[str, Proven] = field(default_factory=dict)
    new_orders: int = 0
    files: tuple[PlannedFile, ...] = ()
    rank: int = 2
    hostnames: tuple[str, ...] = ()
    stops: bool = False
    brought: str | None = None
    former: str | None = None
    heirs: tuple[str, ...] = ()
    restores: bool = False
    due: bool = False

    id: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        """Make the identity: the same decision on the same facts has the same id; no times are in it."""
        parts = (self.verb, self.subject, self.target or "", self.reason, self.desired_digest, self.decided_on)
        object.__setattr__(self, "id", hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Hold:
    """Something wanted and deliberately not done now.

    It ends at `until`, or when `ends_when` (a sentence) comes true. `count` is how many a person would allow, if that
    ends it.
    """

    reason: Reason
    message: str
    site: str | None = None
    target: str | None = None
    until: datetime | None = None
    ends_when: str | None = None
    failed: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one pass wants: changes in an order that respects `after`, and what is held. `due` is when to look again.

    `stopped` are the sites that a hold on the whole tree stops: they want something and no hold bears their names.
    """

    changes: tuple[Change, ...] = ()
    holds: tuple[Hold, ...] = ()
    due: Mapping[str, datetime] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Give a digest over the changes: the same plan, the same digest."""
        text = "\n".join(sorted(change.id for change in self.changes))
        return hashlib.sha256(text.encode()).hexdigest()
