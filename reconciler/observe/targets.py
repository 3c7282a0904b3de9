"""Targets as they are: the record of the last installation, files that belong to no site, a switch left half-way."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.doors.files.api import FileFailed
from reconciler.errors import OddFile
from reconciler.model.observed import NoRevision, ObservedTarget, OnTarget
from reconciler.observe.installed import Case, Holder, compared, leaving
from reconciler.observe.torn import torn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.observed import FileFact, Inventory, TargetRecord
    from reconciler.model.ports import Reader
    from reconciler.observe.behind import Behind
    from reconciler.observe.disk import Disk
    from reconciler.observe.view import TargetView


def observed_targets(
    reader: Reader,
    records: Mapping[str, TargetRecord],
    views: Mapping[str, TargetView],
    disk: Disk,
    gone: frozenset[str] | None,
    behind: Behind,
) -> dict[str, ObservedTarget]:
    """Observe each target that has a record or a site of this pass.

    `gone` are known sites that are not declared; None in a pass that is not full, where nothing shared is taken away.
    `behind` gives the sites that the pass would leave behind in another directory, or without their blocks.
    """
    lost = reader.lost_targets(records)
    switching = {name: _is_switching(reader, name) for name in views}
    return {
        name: ObservedTarget(
            name=name,
            record=records.get(name),
            shared=_shared(view, records, disk, gone),
            switching=switching[name],
            damage=lost.get(name, "") if view.target is None else "",
            behind=behind.on(view),
            torn=torn(view, behind, disk, switching=switching[name]),
        )
        for name, view in views.items()
    }


def _is_switching(reader: Reader, target: str) -> bool:
    """Tell whether a switch was left half-way; where its record cannot be read, who works on the target says so."""
    try:
        return reader.switching(target) is not None
    except OddFile:
        return True


def _giver(view: TargetView, records: Mapping[str, TargetRecord], path: str) -> Holder | None:
    """Give a target that no site of this pass uses any more and that has a shared file at a path."""
    left = [other.name for other in view.beside if not other.seats and other.name in records]
    found = (name for name in left if any(file.path == path for file in records[name].shared.files))
    return next((Holder("", leaves=True, target=name) for name in found), None)


def _shared(
    view: TargetView, records: Mapping[str, TargetRecord], disk: Disk, gone: frozenset[str] | None
) -> OnTarget | None:
    """Compare the shared files of a target that is in use; they go with its last site."""
    record = records.get(view.name)
    entry = record.shared if record and record.shared.files else None
    if view.target is not None and view.seats:
        wanted, built = view.shared, view.target.built
        if not wanted and entry is None and not built:
            return None
        case = Case(NoRevision(), "", view.target.spec.existing == "adopt", lambda path: _giver(view, records, path))
        made = _made(view.name, entry, compared(disk, wanted, entry, case))
        return replace(made, built=tuple(built), unbuilt=_unbuilt(built, record, disk))
    if entry is None or gone is None or not view.is_left(gone):
        return None
    kept = {artifact.path for other in view.beside for artifact in other.shared}
    return _made(view.name, entry, leaving(disk, entry.files, kept, lambda _: None))


def _unbuilt(built: Mapping[str, str], record: TargetRecord | None, disk: Disk) -> str:
    """Say which file is not as the target's command left it; nothing where none of any is known."""
    known = {one.path: one for one in record.built} if record is not None else {}
    for path, kind in built.items() if known else ():
        if path not in known or known[path].kind != kind:
            return f"{path} was not made as {kind} yet"
        with suppress(FileFailed):
            facts = disk.facts(path)
            if facts is None:
                return f"{path} is gone"
            if facts.signature != known[path].signature:
                return f"{path} is not as it was made"
    return ""


def _made(name: str, entry: Inventory | None, files: Iterable[FileFact]) -> OnTarget:
    return OnTarget(name, tuple(files), copies=False, inventory=entry, digest=entry.digest if entry else "")
