"""From the changes of a batch to files: what stands at each path, and what shall stand there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import Failed
from reconciler.execute.batches.switching import swap as swaps
from reconciler.execute.batches.switching.content import read
from reconciler.model.changes import Reason, Verb
from reconciler.model.names import Part
from reconciler.model.ports import Artifact, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.switching.content import Content
    from reconciler.model.changes import Change
    from reconciler.model.observed import InstalledFile
    from reconciler.model.ports import Bundle


def swaps_of(batch: Batch) -> list[swaps.Swap]:
    """Give the swaps of all changes; a site that cannot be rendered or written is noted as failed and has none."""
    rendered = _rendered(batch)
    found: list[swaps.Swap] = []
    for change in batch.files:
        site = change.site or ""
        artifacts = rendered.get(site, ()) if change.verb is Verb.INSTALL else ()
        if isinstance(artifacts, Refusal):
            batch.failed[site] = (artifacts.reason, artifacts.message)
            continue
        try:
            held = held_by_copies(batch, site) if change.restores else None
            found.extend(_of_site(batch, site, artifacts, _spared(batch, change), held))
        except Failed as failure:
            batch.failed[site] = (failure.reason, str(failure))
    return found


def _rendered(batch: Batch) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
    names = [change.site or "" for change in batch.files if change.verb is Verb.INSTALL]
    wanted = [batch.seats[name] for name in names if name in batch.seats]
    concerns_shared = any(not change.site for change in batch.files)
    shared = batch.target.shared(list(batch.seats.values())) if concerns_shared else ()
    return {**batch.target.render(wanted), "": shared}


def _spared(batch: Batch, change: Change) -> frozenset[str]:
    """Give the paths of ours that an uninstall leaves in place: its plan names them not, as another target has them."""
    if change.site and change.verb is not Verb.UNINSTALL:
        return frozenset()
    named = {file.path for file in change.files}
    return frozenset(file.path for file in batch.entry(change.site or "").files if file.path not in named)


def swaps_as_installed(batch: Batch, site: str) -> list[swaps.Swap]:
    """Give the swaps that make a site's files what they were installed as; none where anything else is wanted now.

    Of "" the files that belong to the target. A site that the pass left out is taken in.
    """
    if not batch.take_in(site):
        return []
    seat = batch.seats.get(site)
    rendered = batch.target.render([seat]) if seat is not None else {}
    artifacts = rendered.get(site, ()) if site else batch.target.shared(list(batch.seats.values()))
    if isinstance(artifacts, Refusal) or (site and batch.live_id(site) is None):
        return []
    batch.shared.forget()
    found = _of_site(batch, site, artifacts, revision=held_by_copies(batch, site))
    found = [swap for swap in found if swap.part is not Part.TASK]
    return found if all(is_as_installed(batch, swap) for swap in found) else []


def held_by_copies(batch: Batch, site: str) -> str | None:
    """Give the revision that a site's copies are of, else the one in use; that too where the former is gone."""
    had = batch.entry(site).revision
    stored = {revision.id for revision in batch.bench.store.revisions(site)} if site and had else ()
    return had if had in stored else batch.live_id(site)


def is_as_installed(batch: Batch, swap: swaps.Swap, *, other: bool = False) -> bool:
    """Tell whether a swap makes a file what the inventory has; `other`: it may be of another certificate."""
    known = next((file for file in batch.entry(swap.site).files if file.path == swap.path), None)
    after = swap.after
    if known is None or after is None:
        return False
    same = after.digest == known.digest or (other and known.revision not in (None, swap.revision))
    return same and (after.mode, after.uid, after.gid) == (known.mode, known.uid, known.gid)


def _of_site(
    batch: Batch,
    site: str,
    artifacts: Collection[Artifact],
    spared: frozenset[str] = frozenset(),
    revision: str | None = None,
) -> list[swaps.Swap]:
    ours = {file.path: file for file in batch.entry(site).files}
    revision = revision or batch.live_id(site)
    bundle = _bundle(batch, site, artifacts, revision)
    found = []
    for artifact in artifacts:
        if artifact.fragment:
            _check_whole(batch, artifact.path)
        before = _standing(batch, site, artifact, ours=artifact.path in ours)
        after = swaps.wanted(artifact, bundle)
        if before is not None and artifact.path not in ours and before.data != after.data and not artifact.fragment:
            _check_foreign(batch, site, artifact, before)
        held = revision if artifact.part is not Part.CONFIG else None
        own = artifact.own_directory or artifact.part is Part.CONFIG
        stood = artifact.fragment and batch.shared.is_blank(artifact.path)
        headless = artifact.fragment and batch.shared.is_headless(artifact.path)
        found.append(
            swaps.Swap(site, artifact.path, artifact.part, before, after, held, artifact.fragment, own, headless, stood)
        )
    kept = {*spared, *(artifact.path for artifact in artifacts)}
    gone = [
        file for path, file in ours.items() if path not in kept and (file.fragment or path not in _taken(batch, site))
    ]
    return found + [_removal(batch, site, file) for file in gone]


def _removal(batch: Batch, site: str, file: InstalledFile) -> swaps.Swap:
    before = _standing(batch, site, file, ours=True)
    return swaps.Swap(site, file.path, file.part, before, None, fragment=file.fragment)


def _standing(batch: Batch, site: str, file: Artifact | InstalledFile, *, ours: bool) -> Content | None:
    if file.part is Part.TASK:
        return None
    return batch.shared.block(file.path, site, ours=ours) if file.fragment else read(file.path)


def _check_whole(batch: Batch, path: str) -> None:
    """Refuse to make a file that sites share anew without the blocks of those that had one and are not in this pass.

    All inventories are read for it, of maybe ten thousand sites; so only where the file holds no block at all.
    """
    if not batch.shared.is_empty(path):
        return
    had = batch.shared.owners(path, lambda: batch.bench.store.inventory(batch.name))
    left = sorted(had - batch.seats.keys() - {change.site for change in batch.files})
    if left:
        text = f"{path} is gone, and this pass leaves out the lines of site {left[0]} that stood there"
        raise Failed(Reason.HANDOVER_PENDING, text)


def _bundle(batch: Batch, site: str, artifacts: Collection[Artifact], revision: str | None) -> Bundle | None:
    if revision is None or all(artifact.text is not None for artifact in artifacts):
        return None
    return batch.bench.store.bundle(site, revision)


def _taken(batch: Batch, site: str) -> frozenset[str]:
    """Give the paths that other sites of this batch take over: they are replaced, not removed."""
    return frozenset(
        file.path
        for change in batch.files
        if change.verb is Verb.INSTALL and (change.site or "") != site
        for file in change.files
    )


def _check_foreign(batch: Batch, site: str, artifact: Artifact, before: Content) -> None:
    path = artifact.path
    if batch.spec.existing == "adopt" or _is_other_sites(batch, path) or _is_other_targets(batch, site, path):
        return
    if _is_former(batch, site, artifact, before):
        return
    text = f"{artifact.path} is not ours and stands where ours should; move it away, or set `existing: adopt`"
    raise Failed(Reason.FOREIGN_FILE, text)


def _is_former(batch: Batch, site: str, artifact: Artifact, before: Content) -> bool:
    """Tell whether a file holds what a revision of the site has for it: ours, though our record of it is missing.

    The plan saw so, before the site got the revision that it has now.
    """
    if artifact.text is not None or not site:
        return False
    store = batch.bench.store
    bundles = (store.bundle(site, revision.id) for revision in store.revisions(site))
    return any(swaps.material(artifact.part, bundle) == before.data for bundle in bundles)


def _is_other_targets(batch: Batch, site: str, path: str) -> bool:
    """Tell whether a path is the site's by the inventory of a target that it names no more."""
    desired, store = batch.desired.get(site), batch.bench.store
    used = {batch.name, *(use.spec.name for use in desired.targets)} if desired is not None else {batch.name}
    left = {name: record for name, record in store.targets().items() if name not in used}
    entries = (store.inventory_of(name, site) if site else record.shared for name, record in left.items())
    return any(file.path == path for entry in entries if entry is not None for file in entry.files)


def _is_other_sites(batch: Batch, path: str) -> bool:
    """Tell whether a path is ours by another site's inventory, which gives it up in this very batch."""
    leaving = [change.site or "" for change in batch.files]
    return any(file.path == path for site in leaving for file in batch.entry(site).files)
