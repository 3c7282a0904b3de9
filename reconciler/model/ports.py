"""The protocols between rooms: what a plug-in, the store and the engine promise each other. Shapes only.

One contract suite a protocol runs over every implementation (`tests/contracts`). This is the face of four modules.
"""

from __future__ import annotations

from reconciler.model.ports_issuing import (
    AddressBook,
    AddressWriter,
    Asked,
    Challenges,
    Desk,
    DnsProvider,
    Issued,
    Issuer,
    Request,
    Solver,
    StagedIssuer,
)
from reconciler.model.ports_pass import Clock, Declared, Execute, Limits, Scope
from reconciler.model.ports_store import Bundle, Cache, Lease, Leases, Material, Reader, Rewrite, Store, Writer
from reconciler.model.ports_targets import (
    Activated,
    Artifact,
    Changed,
    Hands,
    Named,
    Probe,
    Refusal,
    SiteOnTarget,
    Target,
    Tested,
)

__all__ = [
    "Activated",
    "AddressBook",
    "AddressWriter",
    "Artifact",
    "Asked",
    "Bundle",
    "Cache",
    "Challenges",
    "Changed",
    "Clock",
    "Declared",
    "Desk",
    "DnsProvider",
    "Execute",
    "Hands",
    "Issued",
    "Issuer",
    "Lease",
    "Leases",
    "Limits",
    "Material",
    "Named",
    "Probe",
    "Reader",
    "Refusal",
    "Request",
    "Rewrite",
    "Scope",
    "SiteOnTarget",
    "Solver",
    "StagedIssuer",
    "Store",
    "Target",
    "Tested",
    "Writer",
]
