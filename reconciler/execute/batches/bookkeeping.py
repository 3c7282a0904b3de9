"""What a batch writes to the store: inventories, the target's record, failures; then the switch is forgotten."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.doors.files.api import stat_file
from reconciler.errors import Failed
from reconciler.execute.batches.batch import in_one_line
from reconciler.execute.batches.switching.content import read
from reconciler.execute.batches.switching.swap import returned
from reconciler.execute.remember import after_reload
from reconciler.model.changes import Reason, Verb
from reconciler.model.observed import Built, Failures, InstalledFile, Inventory, TargetRecord
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.switching.swap import Switch
    from reconciler.model.changes import Change
    from reconciler.model.ports import Activated, Tested


def begin(batch: Batch, switch: Switch) -> None:
    """Write down the switch that is about to be made."""
    _introduce(batch)
    batch.bench.store.put_switch(batch.lease, batch.name, switch.record())


def _introduce(batch: Batch) -> None:
    """Write down the target before anything of it: by that it is found where no manifest declares it any more."""
    if batch.name not in batch.bench.store.targets():
        batch.bench.store.put_target(batch.lease, TargetRecord(batch.spec))


def keep(batch: Batch, switch: Switch, *, loaded: bool, sites: Sequence[str] = ()) -> None:
    """Write the inventory of what is in place, then forget the switch: from here on nothing has to be put back.

    `sites` are those whose state the server took up, if it was `loaded`.
    """
    changed: dict[str, Inventory | None] = {}
    files = switch.installed({change.site or "" for change in batch.files})
    for change in batch.files:
        site = change.site or ""
        if site in batch.failed:
            continue
        entry = replace(batch.entry(site), files=files[site])
        # what the server may still have loaded is not forgotten before it took up that the files are gone
        stay = batch.entry(site).files and not change.files
        gone = change.verb is Verb.UNINSTALL and site and (loaded or batch.reload is None or stay)
        changed[site] = None if gone else entry
    if loaded:
        for name in sites:
            now = changed.get(name, batch.entry(name)) if name in batch.seats else None
            if now is not None:
                changed[name] = after_reload(now, batch.live_id(name))
    _write(batch, changed, loaded=loaded)


def keep_restored(batch: Batch, switch: Switch) -> None:
    """Write the inventory of what was put back; the server may have loaded something else meanwhile."""
    sites = [change.site or "" for change in batch.files if (change.site or "") not in batch.failed]
    files = switch.installed(sites)
    _write(batch, {site: replace(batch.entry(site), files=files[site], restored=True) for site in sites}, loaded=False)


def take_back(batch: Batch, sites: Collection[str], *, loaded: bool) -> None:
    """Write the inventory of these sites as it was before the batch, with the files as they were put back."""
    changed: dict[str, Inventory | None] = {}
    for site in sorted(sites):
        entry = batch.entry(site)
        former = replace(entry, files=tuple(returned(file) for file in entry.files))
        known = bool(former.files) or not site or (loaded and entry.loaded is not None)
        changed[site] = (after_reload(former, batch.live_id(site)) if loaded else former) if known else None
    _write(batch, changed, loaded=loaded)


def _write(batch: Batch, changed: dict[str, Inventory | None], *, loaded: bool) -> None:
    _introduce(batch)
    record = _record(batch)
    shared = changed.pop("", None) or record.shared
    if loaded:
        shared = replace(shared, restored=False)
    reloaded = batch.bench.clock.now() if loaded else record.last_reload
    failures = Failures() if loaded else record.failures
    built = (*_built(batch), *_built_and_gone(batch, record)) if loaded else record.built
    new = replace(record, shared=shared, last_reload=reloaded, failures=failures, built=built)
    batch.bench.store.put_inventory(batch.lease, batch.name, changed)
    batch.bench.store.put_target(batch.lease, new)
    batch.bench.store.put_switch(batch.lease, batch.name, None)


def _built(batch: Batch) -> tuple[Built, ...]:
    found = ((path, kind, stat_file(path)) for path, kind in batch.target.built.items())
    return tuple(Built(path, facts.signature, kind) for path, kind, facts in found if facts is not None)


def _built_and_gone(batch: Batch, record: TargetRecord) -> list[Built]:
    """Give what was known of that which somebody took away while the server was reloaded: the next pass misses it.

    Not of what was missed already, and the command does not make.
    """
    if batch.unbuilt:
        return []
    return [one for one in record.built if one.path in batch.target.built and stat_file(one.path) is None]


def lacks_built(batch: Batch) -> bool:
    """Tell whether what the target's command made is not as it was left: no site's state is known to be loaded then."""
    known = _record(batch).built
    return bool(known) and _built(batch) != known


def _record(batch: Batch) -> TargetRecord:
    known = batch.bench.store.targets().get(batch.name) or TargetRecord(batch.spec)
    return replace(known, spec=batch.spec)


def target_failed(batch: Batch, reason: str, text: str) -> None:
    """Count a failure of the target as a whole; what it was last installed as stays known."""
    known = batch.bench.store.targets().get(batch.name) or TargetRecord(batch.spec)
    batch.bench.memory.target_failed(batch.lease, known, batch.spec, reason, text)


def not_reloaded(batch: Batch, reload: Change, answer: Activated) -> Outcome:
    """Note that the server did not take up what is in place; a reload that a stop ended counts as no failure."""
    if batch.bench.hands.is_stopped:
        text = "stopped before the server took up what is in place; the next pass reloads it"
        return Outcome(reload, Status.SKIPPED, "Stopped", text)
    text = f"the reload failed: {in_one_line(answer.output)}{_as_whom(batch)}"
    target_failed(batch, Reason.NOT_LOADED, text)
    return Outcome(reload, Status.FAILED, Reason.NOT_LOADED, text)


def _as_whom(batch: Batch) -> str:
    """Say what an ordinary user may lack: the server is often root's."""
    if os.geteuid() == 0 or batch.spec.reload.command is None:
        return ""
    return (
        f"; it ran as uid {os.geteuid()}: let that user run `{' '.join(batch.spec.reload.command)}`, or declare another"
    )


def outcome_of(batch: Batch, change: Change) -> Outcome:
    """Give an install's outcome, and count it against the site if it failed."""
    problem = batch.failed.get(change.site or "")
    if problem is None:
        if change.site and change.verb is Verb.INSTALL:
            batch.bench.memory.installed(change.site, batch.spec)
        return Outcome(change, Status.DONE)
    if change.site and change.site not in batch.rejected and problem[0] != Reason.TAKEN_OUT:
        batch.bench.memory.install_failed(batch.concerned(change.site), batch.spec, *problem)
    return Outcome(change, Status.FAILED, *problem)


def all_failed(batch: Batch, tested: Tested) -> list[Outcome]:
    """Note that the server's own test, or our check before it, fails without us; nothing of ours is in place."""
    batch.bench.store.put_switch(batch.lease, batch.name, None)
    if batch.bench.hands.is_stopped:
        text = "stopped before it was tested; what stood there was put back"
        return [Outcome(change, Status.SKIPPED, "Stopped", text) for change in batch.changes]
    whose = "our own check of what the server would load" if tested.checked else "the server's own test"
    text = f"{whose} fails without our changes: {in_one_line(tested.output)}{_of_whom(batch, tested)}"
    target_failed(batch, Reason.TARGET_BROKEN, text)
    return [Outcome(change, Status.FAILED, Reason.TARGET_BROKEN, text) for change in batch.changes]


def _of_whom(batch: Batch, tested: Tested) -> str:
    """Name the site whose file cannot be used or was changed, if it is one of ours: that is where a person begins."""
    ours = [(site, one) for site, entry in batch.bench.store.inventory(batch.name).items() for one in entry.files]
    site = next((site for site, one in ours if one.path in tested.unusable), None)
    if site is not None:
        return f"; it is of site {site}: mend that, then: certwright retry {site}"
    told = (pair for pair in ours if f"{pair[1].path}:" in f"{tested.output}:")
    site = next((site for site, one in told if not one.fragment and _is_changed(one)), None)
    if site is None:
        return ""
    free = batch.take_in(site) or site not in batch.desired
    way = f"certwright apply {site} puts it back" if free else "it is suspended, so put the file back, or resume it"
    return f"; somebody changed that file of site {site}: {way}"


def _is_changed(file: InstalledFile) -> bool:
    """Tell by what it holds: what the batch itself put back is signed anew. Of one that cannot be read, nothing."""
    try:
        found = read(file.path)
    except Failed:
        return False
    return found is None or found.digest != file.digest
