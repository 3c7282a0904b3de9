"""What is checked before the store is used: its format, its owner, its modes; and its making on first use."""

from __future__ import annotations

import os
from typing import Final

from reconciler.errors import NewerStore, StoreError
from reconciler.model.text import clean
from reconciler.store import atomic, reading, scratch
from reconciler.store.layout import FIXED, FORMAT, Layout

_OTHERS: Final = 0o077
_TELLING: Final = frozenset(FIXED[:6])  # so many directories of ours are nobody else's
# what may stand in a directory that is no store yet: a checkout's files, what a file system has, our own first step
_HARMLESS: Final = frozenset({"README.md", ".gitignore", "lost+found", "tmp"})


def check(root: str) -> bool:
    """Check a store that will only be read; False if there is none yet."""
    return reading.owner_and_mode(root) is not None and not _is_empty(root)


def prepare(root: str) -> None:
    """Check a store that will be written, make what is missing, take the rights of others away."""
    found = reading.owner_and_mode(root)
    if found is None:
        if reading.owner_and_mode(os.path.dirname(root)) is None:
            raise StoreError(
                f"the directory above {clean(root, 300)} is not there; create it, or name another by --state"
            )
        atomic.make_directory(root)
        found = os.geteuid(), 0o700
    _check_owner(root, found[0])
    empty = _is_empty(root)
    if found[1] & _OTHERS:
        _tighten_all(root)
    _make(root, empty=empty)


def _is_empty(root: str) -> bool:
    """Tell whether a directory may become a store. Raises StoreError where it is neither one nor empty."""
    # the names first: of two processes that make it, the other may be between VERSION and the rest
    names = frozenset(reading.names(root))
    if _format(root) is not None:
        return False
    strange = sorted(names - _HARMLESS)
    if strange:
        place, named = clean(root, 300), ", ".join(clean(name, 40) for name in strange[:3])
        mend = "name another by --state"
        if names >= _TELLING:
            mend = f"put VERSION back, with {FORMAT} in it, if this is one that lost it; else {mend}"
        raise StoreError(f"{place} is not empty and is no state directory ({named} is there, VERSION is not); {mend}")
    return True


def _format(root: str) -> int | None:
    raw = reading.read(f"{root}/VERSION", 1024)
    if raw is None:
        return None
    text = raw.decode("ascii", "replace").strip()
    if not text.isdecimal() or int(text) == 0:
        held = f"{clean(root, 300)}/VERSION holds '{clean(text, 20)}', not a number"
        raise StoreError(f"{held}; put {FORMAT} into it if this is a state directory")
    if int(text) > FORMAT:
        newer = f"{clean(root, 300)} has format {clean(text, 20)}, and this version of certwright knows {FORMAT}"
        raise NewerStore(f"{newer}; use the version that wrote it, or a newer one")
    return int(text)


def _check_owner(root: str, owner: int) -> None:
    if owner != os.geteuid():
        ours, named = os.geteuid(), clean(root, 300)
        why = f"{named} belongs to uid {owner}, and we are uid {ours}: with files of both, neither could work"
        raise StoreError(f"{why}; run certwright as uid {owner}, or give it over: chown -R {ours} {named}")


def _make(root: str, *, empty: bool) -> None:
    present = set(reading.names(root))
    # VERSION comes first: killed after it, the next start goes on; killed before, there is nothing but an own `tmp`
    if empty:
        _write_version(root)
    layout = Layout(root)
    for name in FIXED:
        if name not in present:
            atomic.make_directory(layout.fixed(name))


def _write_version(root: str) -> None:
    folder = Layout(root).fixed("tmp")
    atomic.make_directory(folder)
    own = scratch.acquire(folder)
    try:
        own.write(f"{root}/VERSION", f"{FORMAT}\n".encode())
    finally:
        scratch.release(folder, own)


def _tighten_all(root: str) -> None:
    # others could come in, so each file may have been given rights too; later starts find 0700 and look no further
    for folder, folders, files in os.walk(root, followlinks=False):
        for name in (*files, *folders):
            path = f"{folder}/{name}"
            if not os.path.islink(path):
                atomic.tighten(path)
    atomic.tighten(root)
