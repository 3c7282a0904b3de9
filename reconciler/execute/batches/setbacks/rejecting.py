"""A certificate that a server refuses, once it is live: the pointer goes back, for all who read it, and says so.

Those sites alone whose certificate it is: by the server's own words, else by halves. What was refused is remembered,
and is tried again later; a new order would bring the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.execute.batches.batch import in_one_line
from reconciler.execute.batches.setbacks.isolate import Isolation
from reconciler.execute.batches.setbacks.pointers import not_loaded, of_proof
from reconciler.model.changes import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.setbacks.pointers import Pointers
    from reconciler.model.ports import Tested

_ROUNDS: Final = 16


def give_way(batch: Batch) -> bool:
    """Take back what the server's test fails by, with nothing else of the batch in place; tell whether it passes now.

    Where it does not, all pointers are as they were.
    """
    pointers = not_loaded(batch)
    if not pointers.moves:
        return False
    refused, tested = _named(batch, pointers)
    if not tested.ok:
        left = sorted(set(pointers.moves) - pointers.gone_back)
        verdict = Isolation(pointers, lambda: _asked(batch, pointers), batch.bench.clock).search(left, tested)
        if verdict.broken is not None:
            pointers.forward()
            return False
        refused.update(verdict.bad)
    for site, output in refused.items():
        reject(batch, pointers, site, in_one_line(output))
    return True


def _named(batch: Batch, pointers: Pointers) -> tuple[dict[str, str], Tested]:
    """Take back those that the test names, one after the other: most servers stop at the first."""
    refused: dict[str, str] = {}
    owners, tested = pointers.owners(), _asked(batch, pointers)
    for _ in range(_ROUNDS):
        sites = {owners[path] for path in tested.blamed if path in owners} - pointers.gone_back
        if tested.ok or not sites:
            break
        pointers.back(sites)
        refused.update(dict.fromkeys(sites & pointers.gone_back, tested.output))
        tested = _asked(batch, pointers)
    return refused, tested


def _asked(batch: Batch, pointers: Pointers) -> Tested:
    return batch.test(list(pointers.owners()))


def reject(
    batch: Batch,
    pointers: Pointers,
    site: str,
    why: str,
    after: str = "is in use again",
    reason: Reason = Reason.REJECTED_BY_SERVER,
) -> None:
    """Note that a site's pointer went back, and why."""
    move = pointers.moves[site]
    text = f"{batch.name} refused {move.after.id}: {why}; {move.before.id} {after}"
    batch.failed[site] = (reason, text)
    batch.rejected[site] = text
    batch.bench.memory.rejected(batch.concerned(site), batch.spec, move.after.id, text, reason)


def give_back(batch: Batch, sites: Collection[str], why: str) -> None:
    """Take back what was refused before and could not be tried now: who starts the server must not find it."""
    pointers = of_proof(batch, tried_again(batch, sites))
    pointers.back()
    for site in sorted(pointers.gone_back):
        reject(batch, pointers, site, why, "is live again")


def tried_again(batch: Batch, sites: Collection[str]) -> frozenset[str]:
    """Give the sites with what this target refused before in use."""
    remembered = batch.bench.store.memory(sites)
    return frozenset(
        name for name, one in remembered.items() if one.rejected.get(batch.name, "") == batch.live_id(name)
    )


def summed(rejected: Mapping[str, str], sites: Collection[str]) -> str:
    """Say in one sentence what was refused in a reload that others shared."""
    names = sorted(rejected)
    rest = f"; and so for {len(names) - 1} more" if len(names) > 1 else ""
    others = "; what is new of the other sites is in use" if set(sites) - set(names) else ""
    return f"site {names[0]}: {rejected[names[0]]}{rest}{others}"
