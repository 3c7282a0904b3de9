"""What is: read from the store and from installed files, never from the network. Made by `store` and `observe`.

This is the face of five modules.
"""

from __future__ import annotations

from reconciler.model.installed import Built, FileChange, FileFact, InstalledFile, Inventory, OnTarget, TargetRecord
from reconciler.model.memory import (
    NO_SPEC,
    Failures,
    LastFailure,
    Memory,
    NameMemory,
    Pin,
    PortSeen,
    RenewalChoice,
    Served,
)
from reconciler.model.orders import AccountRecord, ChosenChallenge, OrderRecord, Undo
from reconciler.model.revisions import (
    BrokenRevision,
    Brought,
    CertificateFacts,
    Live,
    NoRevision,
    Proven,
    Revision,
    RevisionMeta,
    chain_digest,
)
from reconciler.model.world import Abandoned, Inherited, ObservedSite, ObservedTarget, World

__all__ = [
    "NO_SPEC",
    "Abandoned",
    "AccountRecord",
    "BrokenRevision",
    "Brought",
    "Built",
    "CertificateFacts",
    "ChosenChallenge",
    "Failures",
    "FileChange",
    "FileFact",
    "Inherited",
    "InstalledFile",
    "Inventory",
    "LastFailure",
    "Live",
    "Memory",
    "NameMemory",
    "NoRevision",
    "ObservedSite",
    "ObservedTarget",
    "OnTarget",
    "OrderRecord",
    "Pin",
    "PortSeen",
    "Proven",
    "RenewalChoice",
    "Revision",
    "RevisionMeta",
    "Served",
    "TargetRecord",
    "Undo",
    "World",
    "chain_digest",
]
