"""What the policies judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import Brought, Failures, Live, Memory

RENEW_AT: Final = "certwright/renewAt"


@dataclass(frozen=True, slots=True)
class Case:
    """A site, a revision of it (`live`, or a candidate), what is remembered, the time, and what its import holds."""

    desired: DesiredSite
    live: Live
    memory: Memory
    now: datetime
    brought: Brought | None = None

    @property
    def revision(self) -> Revision | None:
        """Give the usable revision, None if there is none or it is a placeholder."""
        live = self.live
        return live if isinstance(live, Revision) and not live.meta.placeholder else None

    @property
    def failures(self) -> Failures | None:
        """Give the failures to issue, if they happened to this spec."""
        failures = self.memory.failures.get("issue")
        return failures if failures is not None and failures.digest in ("", self.desired.digest) else None


def request_of(case: Case) -> str | None:
    """Say how a person asks for a new certificate, if that was not answered yet."""
    if case.revision is None:
        return None
    done = case.revision.meta.requested
    if case.memory.renew_requested and case.memory.renew_requested not in done:
        return f"asked for by `certwright renew` at {case.memory.renew_requested}"
    wanted = case.desired.annotations.get(RENEW_AT)
    fresh = wanted is not None and wanted not in (case.memory.handled_renew_at, *done)
    return f"annotation {RENEW_AT} is now {wanted}" if fresh else None
