"""Takes sites out of a configuration that hold the server back: their certificate is unusable, nothing mends it now.

The server could not be reloaded with them at all, for anybody's sake. Only files of ours, only for such a reason, and
only if the server's test passes without them; else they are put back and the whole target waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches import swap as swaps
from reconciler.execute.batches.batch import first_lines
from reconciler.model.changes import Reason
from reconciler.model.names import Part
from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.execute.batches.batch import Batch
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
        blamed = {path: site for path, site in _hopeless(batch, tested, owners).items() if path not in taken.done}
        new = [swaps.Swap(site, path, Part.CONFIG, swaps.read(path), None) for path, site in blamed.items()]
        new = [swap for swap in new if swap.differs and swap.site not in out]
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
    """Give every configuration file of ours in the target that is one site's, by path."""
    known = batch.bench.store.inventory(batch.name)
    return {
        file.path: site
        for site, entry in known.items()
        for file in entry.files
        if file.part is Part.CONFIG and not file.fragment
    }


def _hopeless(batch: Batch, tested: Tested, owners: Mapping[str, str]) -> Mapping[str, str]:
    """Give the files that are blamed and name an unusable certificate, by our own check or since the store says so."""
    blamed = {path: owners[path] for path in tested.blamed if path in owners}
    live = batch.bench.store.live(blamed.values())
    return {
        path: site
        for path, site in blamed.items()
        if path in tested.unusable or not isinstance(live.get(site), Revision)
    }


def _keep(batch: Batch, taken: swaps.Switch, out: Mapping[str, str]) -> None:
    """Note what is no longer installed, and why."""
    gone = {swap.path for swap in taken.swaps}
    for site, output in out.items():
        entry = batch.entry(site)
        left = replace(entry, files=tuple(file for file in entry.files if file.path not in gone))
        batch.replace_entry(left)
        batch.bench.store.put_inventory(batch.lease, batch.name, {site: left})
        batch.failed[site] = (Reason.REJECTED_BY_SERVER, f"taken out of the configuration: {first_lines(output)}")
        if all(change.site != site for change in batch.files):
            batch.bench.memory.install_failed(batch.concerned(site), batch.spec, *batch.failed[site])
