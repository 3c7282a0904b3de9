"""Deals with sites that hold a server back, as their certificate is unusable: it could not be reloaded for anybody.

A damaged copy is put back as it was installed, if the store has that; else the site is taken out of the configuration.
Only files of ours, only for such a reason, and only if the server's test passes then; else all of it is put back and
the whole target waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.execute.batches.batch import in_one_line
from reconciler.execute.batches.hands.named import why_unusable
from reconciler.execute.batches.switching import swap as swaps
from reconciler.execute.batches.switching.content import Content, read
from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.names import Part
from reconciler.model.observed import Revision
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.execute.batches.batch import Batch
    from reconciler.model.observed import InstalledFile, Inventory
    from reconciler.model.ports import Tested

_ROUNDS: Final = 16


def expel(batch: Batch, switch: swaps.Switch) -> bool:
    """Take them out, with nothing of the batch in place; tell whether the server's test passes now."""
    owners = _owners(batch)
    blames: dict[str, str] = {}
    taken = swaps.Switch(())
    for _ in range(_ROUNDS):
        tested = batch.test(list(owners))
        if tested.ok:
            _keep(batch, taken, blames)
            _rebase(switch, taken)
            return bool(taken.swaps)
        hopeless = _hopeless(batch, tested, owners)
        new = [swap for site in sorted(set(hopeless.values())) for swap in _remedy(batch, site) if swap.differs]
        if not new:
            break
        why = in_one_line(tested.output)
        blames.update({site: why if path in why else f"{path}: {why}" for path, site in hopeless.items()})
        taken = swaps.Switch((*taken.swaps, *new))
        record = swaps.Switch((*switch.swaps, *taken.swaps)).record()
        batch.bench.store.put_switch(batch.lease, batch.name, record)
        taken.forward()
    taken.back()
    return False


def _rebase(switch: swaps.Switch, taken: swaps.Switch) -> None:
    """Let what goes back from here on go back to what was put in place, not to what was damaged."""
    now = {swap.path: swap.after for swap in taken.swaps if swap.after is not None}
    switch.swaps = tuple(
        replace(swap, before=now[swap.path]) if swap.path in now and not swap.fragment else swap
        for swap in switch.swaps
    )


def _remedy(batch: Batch, site: str) -> list[swaps.Swap]:
    return _copies(batch, site) or _removals(batch, site)


def _copies(batch: Batch, site: str) -> list[swaps.Swap]:
    """Give what puts damaged copies of a stored pair back as they were installed."""
    stored = {revision.id for revision in batch.bench.store.revisions(site)}
    copies = [file for file in batch.entry(site).files if file.revision in stored and not file.fragment]
    found = [_copy(batch, site, file) for file in copies]
    return [swap for swap in found if swap is not None and swap.differs]


def _copy(batch: Batch, site: str, file: InstalledFile) -> swaps.Swap | None:
    data = swaps.material(file.part, batch.bench.store.bundle(site, file.revision or ""))
    before, after = read(file.path), Content(data, file.mode, file.uid, file.gid)
    fits = after.digest == file.digest
    return swaps.Swap(site, file.path, file.part, before, after, file.revision) if fits else None


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


def _keep(batch: Batch, taken: swaps.Switch, blames: Mapping[str, str]) -> None:
    """Note what is no longer installed or was put back, and why."""
    gone = {(swap.site, swap.path) for swap in taken.swaps if swap.after is None}
    out = {site for site, _ in gone}
    for site in dict.fromkeys(swap.site for swap in taken.swaps):
        entry = batch.entry(site)
        files = tuple(swaps.returned(file) for file in entry.files if (site, file.path) not in gone)
        now = replace(entry, files=files, restored=entry.restored or batch.reload is None)
        batch.replace_entry(now)
        batch.bench.store.put_inventory(batch.lease, batch.name, {site: now})
        _tell(batch, site, blames[site], out=site in out)


def _tell(batch: Batch, site: str, why: str, *, out: bool) -> None:
    """Remember it, and let it have an outcome where the batch has no change of that site."""
    if out:
        text = f"taken out of the configuration: {why}"
        batch.failed[site] = (Reason.TAKEN_OUT, text)
        batch.bench.memory.taken_out(batch.concerned(site), batch.spec, text)
    else:
        text = f"its copy on {batch.name} was put back from the store: {why}"
        batch.bench.memory.put_back(site, text)
    if all(change.site != site for change in batch.files):
        change = Change(Verb.INSTALL, f"site/{site}", Reason.DRIFTED, "", site=site, target=batch.name)
        ended = (Status.FAILED, Reason.TAKEN_OUT) if out else (Status.DONE, "")
        batch.beside[site] = Outcome(change, *ended, text, beside=True)
