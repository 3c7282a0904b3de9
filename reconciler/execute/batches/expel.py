"""Takes sites out of a configuration that hold the server back: their certificate is unusable, nothing mends it now.

The server could not be reloaded with them at all, for anybody's sake. Only files of ours, only for such a reason, and
only if the server's test passes without them; else they are put back and the whole target waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches import swap as swaps
from reconciler.execute.batches.batch import in_one_line
from reconciler.execute.batches.content import read
from reconciler.execute.batches.named import why_unusable
from reconciler.model.changes import Reason
from reconciler.model.names import Part
from reconciler.model.observed import Revision
from reconciler.model.ports import Named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.execute.batches.batch import Batch
    from reconciler.model.observed import Inventory
    from reconciler.model.ports import Tested

_ROUNDS: Final = 16


def expel(batch: Batch, switch: swaps.Switch) -> bool:
    """Take them out, with nothing of the batch in place; tell whether the server's test passes now."""
    owners = _owners(batch)
    out: dict[str, str] = {}
    taken = swaps.Switch(())
    for _ in range(_ROUNDS):
        tested = batch.test(list(owners))
        if tested.ok:
            _keep(batch, taken, out)
            return bool(out)
        blamed = set(_hopeless(batch, tested, owners).values()) - out.keys()
        new = [swap for site in sorted(blamed) for swap in _removals(batch, site) if swap.differs]
        if not new:
            break
        out.update({swap.site: tested.output for swap in new})
        taken = swaps.Switch((*taken.swaps, *new))
        record = swaps.Switch((*switch.swaps, *taken.swaps)).record()
        batch.bench.store.put_switch(batch.lease, batch.name, record)
        taken.forward()
    taken.back()
    return False


def _owners(batch: Batch) -> Mapping[str, str]:
    """Give every file of ours in the target that keeps the server back and is one site's, by path.

    That is its configuration; where sites share that, the pair that the site's lines name.
    """
    known = batch.bench.store.inventory(batch.name)
    return {file.path: site for site, entry in known.items() for file in entry.files if file.part is _part(entry)}


def _part(entry: Inventory) -> Part:
    return Part.COMBINED if any(file.fragment for file in entry.files) else Part.CONFIG


def _removals(batch: Batch, site: str) -> list[swaps.Swap]:
    """Give the removal of a site's configuration, or of its lines and the pair that they name."""
    found = []
    for file in batch.entry(site).files:
        if file.fragment:
            before = batch.shared.block(file.path, site, ours=True)
            found.append(swaps.Swap(site, file.path, file.part, before, None, fragment=True))
        elif file.part is _part(batch.entry(site)):
            found.append(swaps.Swap(site, file.path, file.part, read(file.path), None))
    return found


def _hopeless(batch: Batch, tested: Tested, owners: Mapping[str, str]) -> Mapping[str, str]:
    """Give the files that are blamed and name an unusable certificate, by our own check or since the store says so."""
    blamed = {path: owners[path] for path in tested.blamed if path in owners}
    live = batch.bench.store.live(blamed.values())
    return {
        path: site
        for path, site in blamed.items()
        if path in tested.unusable or not isinstance(live.get(site), Revision) or _is_damaged(batch, site, path)
    }


def _is_damaged(batch: Batch, site: str, path: str) -> bool:
    """Tell whether a pair that a target has a copy of cannot be loaded, by our own check of what stands there."""
    return _part(batch.entry(site)) is Part.COMBINED and why_unusable(Named(path)) is not None


def _keep(batch: Batch, taken: swaps.Switch, out: Mapping[str, str]) -> None:
    """Note what is no longer installed, and why."""
    gone = {swap.path for swap in taken.swaps}
    for site, output in out.items():
        entry = batch.entry(site)
        left = replace(entry, files=tuple(file for file in entry.files if file.path not in gone))
        batch.replace_entry(left)
        batch.bench.store.put_inventory(batch.lease, batch.name, {site: left})
        batch.failed[site] = (Reason.REJECTED_BY_SERVER, f"taken out of the configuration: {in_one_line(output)}")
        if all(change.site != site for change in batch.files):
            batch.bench.memory.install_failed(batch.concerned(site), batch.spec, *batch.failed[site])
