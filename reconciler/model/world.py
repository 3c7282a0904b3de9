"""All that one pass observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from reconciler.model.installed import Inventory, OnTarget, TargetRecord
from reconciler.model.memory import Failures, Memory
from reconciler.model.orders import AccountRecord, OrderRecord, Undo
from reconciler.model.revisions import Brought, Live, NoRevision, Revision


@dataclass(frozen=True, slots=True)
class Inherited:
    """A certificate in use of a `site` that is declared no more, for the very names of one that has none yet."""

    site: str
    revision: Revision


@dataclass(frozen=True, slots=True)
class ObservedSite:
    """All that a decision about one site rests on.

    `others` are further valid revisions, newest first; where nothing usable is live, then those in the archive.

    `inherits` is set where nothing is live. `brought` is what its `import` holds, None where it has none. `damage`
    says what stands in the state directory where a file of the site belongs: nothing is decided about it then.
    """

    name: str
    live: Live = field(default_factory=NoRevision)
    others: tuple[Revision, ...] = ()
    memory: Memory = field(default_factory=Memory)
    order: OrderRecord | None = None
    on: Mapping[str, OnTarget] = field(default_factory=dict)
    brought: Brought | None = None
    damage: str = ""
    inherits: Inherited | None = None


@dataclass(frozen=True, slots=True)
class ObservedTarget:
    """What concerns a target as a whole: its record, its shared files compared, a switch left half-way.

    `damage`: its record is damaged, and no manifest says what it is. `behind`: the directory that its server includes
    is another one now, and these declared sites, which the pass leaves out, still have their files elsewhere.
    `torn`: their lines are gone from a file that sites share and that would be written, and the pass leaves them out.
    """

    name: str
    record: TargetRecord | None = None
    shared: OnTarget | None = None
    switching: bool = False
    damage: str = ""
    behind: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A site that the store knows and no manifest declares: what it has installed where, by inventory.

    `damage` as of an observed site. `heir`: the name that it was renamed to, by a pass that did not come to its end.
    """

    name: str
    live: str | None
    installed: Mapping[str, Inventory] = field(default_factory=dict)
    prune_disabled: bool = False
    damage: str = ""
    heir: str | None = None
    certificate: Revision | None = None
    failures: Mapping[str, Failures] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """What one pass observed. `accounts` maps issuer names to their account, None where there is none yet.

    `orphaned_accounts` maps an issuer to the account URL that revisions in the store name although its key is gone.
    `abandoned` is filled by a full pass, by others only with sites whose certificate one of theirs inherits;
    `known` counts the sites the store knows. `addresses` are the machine's global ones, if a site publishes them.
    `moved`: another machine used this state last.
    """

    sites: Mapping[str, ObservedSite] = field(default_factory=dict)
    targets: Mapping[str, ObservedTarget] = field(default_factory=dict)
    accounts: Mapping[str, AccountRecord | None] = field(default_factory=dict)
    orphaned_accounts: Mapping[str, str] = field(default_factory=dict)
    abandoned: tuple[Abandoned, ...] = ()
    undo: tuple[Undo, ...] = ()
    known: int = 0
    addresses: tuple[str, ...] = ()
    moved: bool = False

    @cached_property
    def newest_start(self) -> datetime | None:
        """Give when the newest certificate of these sites began, None if none has one; found out once a pass."""
        lives = (seen.live for seen in self.sites.values())
        begins = (live.facts.not_before for live in lives if isinstance(live, Revision) and not live.meta.placeholder)
        return max(begins, default=None)
