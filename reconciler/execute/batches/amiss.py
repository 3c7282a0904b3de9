"""What somebody deleted or changed since the pass looked, found right before a reload and right after it: put back.

A reload loads all that stands there, that of sites too which the pass left out. To find it costs two listings and a
stat of each file in the target's directory; records are read of those sites alone whose file is not there or is younger
than the last reload. Put back is only what is to be exactly as it was installed: anything else is the next pass's.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.execute.batches.staging import swaps_as_installed
from reconciler.execute.batches.switching.content import read
from reconciler.execute.batches.switching.swap import SwitchStuck, returned
from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.desired import directory_of
from reconciler.model.fragments import blocks
from reconciler.model.names import Part
from reconciler.model.outcomes import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.doors.files.api import FileStat
    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.switching.swap import Swap, Switch
    from reconciler.model.observed import InstalledFile

_GONE: Final = frozenset({"NoSuchFile", "NoSuchDirectory"})
_SLACK: Final = 20_000_000  # nanoseconds; the kernel stamps files by a clock that lags by up to one tick


def put_back(batch: Batch, switch: Switch) -> frozenset[str]:
    """Put back what is amiss, the batch's own files too; give the sites. What cannot be is left to the next pass."""
    look = _Look(batch)
    lacking = {swap for swap in switch.swaps if swap.site not in batch.failed and look.lacks(switch, swap)}
    own = frozenset(swap.site for swap in lacking)
    again: dict[str, list[Swap]] = {}
    for site, why in look.others().items():
        found = _as_installed(batch, site)
        if found:
            again[site], batch.amiss[site] = found, why
    if not own and not again:
        return own
    # what was right already is moved from here on, back to nothing if it must be
    mended = (replace(swap, before=None) if swap in lacking and not swap.moves else swap for swap in switch.swaps)
    switch.swaps = (*mended, *(swap for found in again.values() for swap in found))
    batch.bench.store.put_switch(batch.lease, batch.name, switch.record())
    return frozenset(site for site in sorted(own | again.keys()) if _is_forward(batch, switch, site))


def _is_forward(batch: Batch, switch: Switch, site: str) -> bool:
    try:
        switch.forward({site})
    except SwitchStuck:
        raise
    except Failed:
        batch.amiss.pop(site, None)
        return False
    return True


def keep(batch: Batch) -> None:
    """Note what was put back of sites that the batch has no change of, and tell of it; the reload takes it up."""
    for site in sorted(batch.amiss.keys() - batch.failed.keys()):
        why, entry = batch.amiss.pop(site), batch.entry(site)
        now = entry.put_back(tuple(returned(file) for file in entry.files))
        batch.replace_entry(now)
        if site:
            batch.bench.store.put_inventory(batch.lease, batch.name, {site: now})
            batch.bench.memory.put_back(site, why)
            change = Change(Verb.INSTALL, f"site/{site}", Reason.DRIFTED, "", site=site, target=batch.name)
            batch.beside[site] = Outcome(change, Status.DONE, message=why, beside=True)


def _as_installed(batch: Batch, site: str) -> list[Swap]:
    """Give what puts a site's files back as they were installed; nothing where something else is wanted by now.

    Nor where the store's own paths of the site are a person's to mend first: it is held, and left as it is.
    """
    if site and batch.bench.store.damage((site,)):
        return []
    try:
        found = swaps_as_installed(batch, site)
    except Failed:
        return []
    return [swap for swap in found or () if swap.differs]


class _Look:
    """One look at what stands there; the files of a directory are listed once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._directory = directory_of(batch.spec)
        self._listed = _listed(self._directory)
        self._blocks: dict[str, Mapping[str, str] | None] = {}
        self._touched = {change.site or "" for change in batch.files}

    def lacks(self, switch: Switch, swap: Swap) -> bool:
        """Tell whether what a swap put in place is not there."""
        if swap.after is None or swap.part is Part.TASK or swap.site not in self._touched:
            return False
        if swap.fragment:
            parts = self._parted(swap.path)
            return parts is not None and parts.get(swap.site) != swap.after.data.decode("utf-8", "replace")
        try:
            done, now = switch.done.get(swap.path), self._facts(swap.path)
            same = done is not None and now is not None and done.signature == now.signature
            return not same and read(swap.path) != swap.after.plain
        except Failed:
            return False

    def others(self) -> dict[str, str]:
        """Give the sites of which the batch has no change and something is amiss, each with a sentence."""
        batch = self._batch
        known = batch.bench.store.installed_on(batch.name)
        near = {name for name in batch.seats if name in known}
        shared = {file.path for name in (*near, *self._touched) for file in batch.entry(name).files if file.fragment}
        far = self._suspects(known - near)
        for path in shared:
            parts = self._parted(path)
            far |= known - parts.keys() if parts is not None else set()
        names = sorted((near | far | {""}) - self._touched)
        found = {name: self._wrong(name) for name in names}
        return {name: why for name, why in found.items() if why}

    def _suspects(self, known: frozenset[str]) -> set[str]:
        """Give the sites whose file is not in the directory, or is younger than the last reload."""
        if not self._directory or self._listed is None or getattr(self._batch.spec, "layout", "") == "live":
            return set()
        record = self._batch.bench.store.targets().get(self._batch.name)
        last = record.last_reload.timestamp() * 1e9 - _SLACK if record and record.last_reload else 0
        there = {name.rpartition(".")[0]: facts for name, facts in self._listed.items()}
        return {name for name in known if name not in there or there[name].ctime_ns > last}

    def _wrong(self, site: str) -> str:
        for file in self._batch.entry(site).files:
            try:
                what = self._what(site, file)
            except Failed:
                continue
            if what:
                return f"somebody {what}; that was put back, or the reload would have lost the site"
        return ""

    def _what(self, site: str, file: InstalledFile) -> str:
        if file.part is Part.TASK:
            return ""
        if file.fragment:
            parts = self._parted(file.path)
            if parts is None or hashlib.sha256(parts.get(site, "").encode()).hexdigest() == file.digest:
                return ""
            return f"{'changed' if site in parts else 'deleted'} its lines in {file.path}"
        now = self._facts(file.path)
        if now is None or now.signature == file.signature:
            return f"deleted {file.path}" if now is None else ""
        content = read(file.path)
        rights = (file.digest, file.mode, file.uid, file.gid)
        same = content is not None and (content.digest, content.mode, content.uid, content.gid) == rights
        return "" if same else f"changed {file.path}"

    def _facts(self, path: str) -> FileStat | None:
        directory, _, name = path.rpartition("/")
        if directory == self._directory and self._listed is not None:
            return self._listed.get(name)
        return files.stat_file(path)

    def _parted(self, path: str) -> Mapping[str, str] | None:
        """Give the blocks of a file that sites share, none where it is gone; None where it cannot be read."""
        if path not in self._blocks:
            try:
                content = read(path)
                self._blocks[path] = blocks(content.data.decode("utf-8", "replace")) if content is not None else {}
            except Failed:
                self._blocks[path] = None
        return self._blocks[path]


def _listed(directory: str) -> dict[str, FileStat] | None:
    """Give the facts of what stands in a directory, nothing where it is gone; None where it cannot be listed."""
    try:
        return files.stat_directory(directory)
    except Failed as failure:
        return {} if failure.reason in _GONE else None
