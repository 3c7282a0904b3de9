"""Files of ours put back as the server's last good reload took them up: at any time, without its test or a reload.

It is compared once more, under the target's lease: where something else is wanted by now, that is the next pass's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Failed
from reconciler.execute.batches import bookkeeping
from reconciler.execute.batches.staging import is_as_installed, swaps_of
from reconciler.execute.batches.switching import swap as swaps
from reconciler.model.changes import Reason
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from reconciler.execute.batches.batch import Batch


def restored(batch: Batch) -> list[Outcome]:
    """Put the files of all changes back; a later reload takes up what the server may have lost meanwhile."""
    names = [change.site for change in batch.files if change.site]
    batch.live = batch.bench.store.live(names)
    found = swaps_of(batch)
    stale = {swap.site for swap in found if not is_as_installed(batch, swap, other=batch.target.copies)}
    late = [change for change in batch.files if (change.site or "") in stale]
    batch.changes = tuple(change for change in batch.files if (change.site or "") not in stale)
    switch = swaps.Switch(tuple(swap for swap in found if swap.site not in stale))
    put_in_place(batch, switch)
    bookkeeping.keep_restored(batch, switch)
    skipped = [Outcome(one, Status.SKIPPED, Reason.NO_LONGER_PLANNED, "left to the next pass") for one in late]
    return [*skipped, *(bookkeeping.outcome_of(batch, change) for change in batch.files)]


def put_in_place(batch: Batch, switch: swaps.Switch) -> None:
    """Put all files in place; if that fails, each site for itself, so that one bad path holds one site."""
    try:
        switch.forward(None)
    except swaps.SwitchStuck:
        raise
    except Failed:
        for site in sorted({swap.site for swap in switch.swaps}):
            try:
                switch.forward({site})
            except swaps.SwitchStuck:
                raise
            except Failed as failure:
                batch.failed[site] = (failure.reason, str(failure))
