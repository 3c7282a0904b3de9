"""What is no file of ours at a site's paths: a directory, a pipe, a link, or what we may not read.

Damaged content heals by itself, since the file is ours to replace; this a person put there, so it is told and the site
is left alone until it is gone. One look at each path (`lstat`), nothing is opened.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from reconciler.model.text import clean
from reconciler.store import reading
from reconciler.store.layout import is_segment
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    _Fits = Callable[[int], bool]

_ORDER: Final = ("order.json", "pending.key", "order.broken")
_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class Damages(Part):
    """Looks at the paths of sites."""

    def damage(self, sites: Iterable[str]) -> Mapping[str, str]:
        """Give the sites at whose paths something odd stands, each with one sentence: what, where, and what to do."""
        targets = [name for name in reading.names(self._layout.fixed("inventory")) if is_segment(name)]
        ordered, brought = (frozenset(reading.names(self._layout.fixed(name))) for name in ("orders", "imports"))
        found = (
            (site, next(self._odd(site, targets, ordered=site in ordered, brought=site in brought), None))
            for site in sites
        )
        return {site: text for site, text in found if text is not None}

    def _odd(self, site: str, targets: Iterable[str], *, ordered: bool, brought: bool) -> Iterator[str]:
        layout = self._layout
        yield from _checked(layout.status(site), "a file", stat.S_ISREG)
        yield from _checked(layout.desired(site), "a file", stat.S_ISREG)
        yield from _checked(layout.lock(f"site/{site}"), "a file", stat.S_ISREG)
        yield from _checked(layout.certificates(site), "a directory", stat.S_ISDIR)
        for target in targets:
            yield from _checked(layout.inventory_of(target, site), "a file", stat.S_ISREG)
        # a file in the pointer's place is replaced like a pointer that is not ours
        yield from _checked(layout.live(site), "a symbolic link", lambda mode: not stat.S_ISDIR(mode), ours=False)
        if brought:
            yield from _checked(layout.imports(site), "a directory", stat.S_ISDIR)
        if ordered:
            folder = layout.orders(site)
            yield from _checked(folder, "a directory", stat.S_ISDIR)
            for name in _ORDER:
                yield from _checked(f"{folder}/{name}", "a file", stat.S_ISREG)


def _checked(path: str, wanted: str, fits: _Fits, *, ours: bool = True) -> Iterator[str]:
    """Tell what is wrong with a path, if it is there and no `wanted` that we may use."""
    try:
        facts = os.lstat(path)
    except OSError:
        return  # not there, or behind something odd that is told itself
    if not fits(facts.st_mode):
        kind = next((word for is_it, word in _KINDS if is_it(facts.st_mode)), "a device")
        yield f"{clean(path, 300)} is {kind}, where {wanted} of the store belongs; move it away"
    elif ours and not _usable(path, facts):
        owner, mode = facts.st_uid, stat.S_IMODE(facts.st_mode)
        hint = f"chown it to uid {os.geteuid()} and chmod {'0700' if wanted == 'a directory' else '0600'}"
        yield f"{clean(path, 300)} cannot be read by uid {os.geteuid()} (owner {owner}, mode {mode:04o}); {hint}"


def _usable(path: str, facts: os.stat_result) -> bool:
    """Tell whether we may read it, and of a directory also write in it."""
    mode, needed = (0o700, os.R_OK | os.W_OK | os.X_OK) if stat.S_ISDIR(facts.st_mode) else (0o400, os.R_OK)
    if os.geteuid() == 0:
        return True
    if facts.st_uid == os.geteuid():
        return facts.st_mode & mode == mode
    return os.access(path, needed, effective_ids=True)
