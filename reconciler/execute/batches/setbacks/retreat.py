"""What got worse by a reload goes back: files of ours, and live pointers; first of those sites that lost something.

If that does not help, all that this reload brought goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches import bookkeeping
from reconciler.execute.batches.setbacks.rejecting import reject, summed
from reconciler.execute.batches.setbacks.starting import how_to_start
from reconciler.model.changes import Reason
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.setbacks.pointers import Pointers
    from reconciler.execute.batches.switching.swap import Switch
    from reconciler.model.ports import Activated

_FILES: Final = "the former files were put back"


@dataclass(slots=True)
class Retreat:
    """One retreat. `gone`: why each site went back."""

    batch: Batch
    switch: Switch
    pointers: Pointers
    reload: Callable[[], Activated]
    gone: dict[str, str] = field(default_factory=dict)

    @property
    def movable(self) -> set[str]:
        """Give the sites of which something can still go back; the site "" is the target itself."""
        files = {swap.site for swap in self.switch.swaps if swap.differs} - self.batch.failed.keys()
        return (files | set(self.pointers.moves)) - self.gone.keys()

    def back(self, worse: Mapping[str, str]) -> bool:
        """Take back what got worse, else all; tell whether there was anything to take back."""
        movable = self.movable
        sites = worse.keys() & movable or movable
        sites |= {one.site or "" for one in self.batch.files if sites.intersection(one.heirs)} & movable
        if not sites:
            return False
        first = next(iter(worse.values()))
        self.gone.update({site: worse.get(site, first) for site in sites})
        self.pointers.back(sites)
        self.switch.back(sites)
        bookkeeping.take_back(self.batch, sites, loaded=self.reload().ok)
        return True

    def is_put_back(self, site: str) -> bool:
        """Tell whether files of a site went back, and its pointer did not: then what is live cannot be served."""
        return site in self.gone and site not in self.pointers.gone_back

    def told(self, not_served: Collection[str], *, ended: bool) -> Outcome:
        """Remember what was refused, and give the reload's outcome; `ended`: nothing answers at any port now."""
        reason = Reason.SERVER_ENDED if ended else Reason.REJECTED_BY_SERVER
        files = f"{_FILES}, but {self._to_start()}" if ended else _FILES
        for site, why in self.gone.items():
            if site in self.pointers.gone_back:
                after = "is live again, but not served yet" if site in not_served else "is in use again"
                if ended:
                    after = f"is live again, but {self._to_start()}; what was refused waits for `retry {site}`"
                reject(self.batch, self.pointers, site, why, after, reason)
            else:
                self.batch.failed[site] = (Reason.REJECTED_BY_SERVER, f"{why}; {files}")
        batch, rejected = self.batch, self.batch.rejected
        text = summed(rejected, batch.seats) if rejected else f"{next(iter(self.gone.values()))}; {files}"
        return Outcome(batch.reload or batch.changes[0], Status.FAILED, reason, text)

    def _to_start(self) -> str:
        command = " ".join(self.batch.spec.reload.command or ())
        tried = f" and `{command}` did not bring it back" if command else ""
        return f"the server had ended{tried}: {how_to_start(self.batch.spec)}, and the next pass does the rest"
