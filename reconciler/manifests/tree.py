"""The manifest tree, read incrementally: a pass stats every file and reads those that changed.

Nothing is decided from the cache that would be decided otherwise without it: it holds inputs (validated objects,
resolved sites) under the stat of the files they came from.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import ManifestError, Problem
from reconciler.manifests import rows
from reconciler.manifests.lastgood.emptied import empty_roots
from reconciler.manifests.lastgood.holding import hold_of, untold_hold
from reconciler.manifests.lastgood.memory import LastGood
from reconciler.manifests.rows import seal_of
from reconciler.manifests.shelf import Moved, Shelf, Stamps, meant
from reconciler.manifests.walking import STDIN_NAME, Walked, is_gone, walk
from reconciler.manifests.written import Written
from reconciler.model.ports import Declared

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.manifests.lastgood.holding import Why
    from reconciler.manifests.settings import Settings
    from reconciler.model.changes import Hold
    from reconciler.model.desired import DesiredSite
    from reconciler.model.ports import Cache

_PAUSE: Final = 0.3


@dataclass(slots=True)
class ManifestTree:
    """One tree. `refresh` reads what changed, `declared` gives meanings, `written` the objects as they are written."""

    settings: Settings
    cache: Cache
    problems: tuple[Problem, ...] = ()
    _held: tuple[Hold, ...] = ()
    _digests: dict[str, str] = field(default_factory=dict)
    _fresh: dict[str, DesiredSite] = field(default_factory=dict)
    _stamps: Stamps | None = None
    _wrong: tuple[Stamps, str] | None = None
    _ahead: bool | None = None
    _shelf: Shelf = field(init=False)
    written: Written = field(init=False)

    def __post_init__(self) -> None:
        """Find the tree's place in the cache."""
        self._shelf = Shelf.of(self.settings, self.cache)
        self.written = Written(self.settings, self._shelf)

    def glance(self) -> Mapping[str, str]:
        """Give what was last read; what is read here for the first time serves the next `refresh` too.

        For what a verb asks before its pass and after it: each `refresh` looks at every file.
        """
        if self._ahead is None:
            self.refresh()
            self._ahead = True
        return self._digests

    def refresh(self) -> Mapping[str, str]:
        """Read what changed; give each site of this server with its digest. ManifestError tells all problems at once.

        A lenient tree raises only if nothing at all can be read; its problems are in `problems` and in holds.
        """
        if self._ahead:
            self._ahead = False
            return self._digests
        walked: Walked | None = None
        try:
            walked = self._walked()
            stamp = _hash(walked)
            if self._lost_some(walked, stamp):
                time.sleep(_PAUSE)
                walked = self._walked()
                stamp = _hash(walked)
            self._see(walked, stamp)
        except ManifestError as refused:
            if not self._moves(walked, refused):
                raise
            walked = self._walked_again(walked, refused)
            self._see(walked, _hash(walked))
        return self._digests

    def _see(self, walked: Walked, stamp: str) -> None:
        if walked.problems or not (self._as_read(stamp) or self._as_wrong(stamp) or self._is_kept(walked, stamp)):
            self._read(walked, stamp)  # files that cannot be seen are not gone: no cache can tell that
        self._ahead = False

    def _lost_some(self, walked: Walked, stamp: str) -> bool:
        """Tell whether files are gone since the last reading: for a moment perhaps, and their sites with them."""
        read = self._stamps or (self._wrong[0] if self._wrong is not None else None)
        if read is not None and read.files == stamp:
            return False
        try:
            kept = self._shelf.look()
            if kept is None or kept.files == stamp:
                return False
            return not self._shelf.signatures("file").keys() <= walked.files.keys()
        except Moved:
            return False

    def _moves(self, walked: Walked | None, refused: ManifestError) -> bool:
        """Tell whether somebody seems to change the tree that was refused: some editors take a file away first."""
        if any(is_gone(problem.file) for problem in refused.problems if not problem.line):
            return True
        if walked is None:
            return self.settings.lenient  # nothing is there at all, of what a lenient tree knows to have been there
        return _hash(walk(self.settings.roots)) != _hash(walked)

    def _walked_again(self, former: Walked | None, refused: ManifestError) -> Walked:
        """Walk once more a little later; a file that is gone for good is no sign that its sites shall go."""
        time.sleep(_PAUSE)
        walked = self._walked()
        if former is not None and not former.files.keys() <= walked.files.keys():
            raise refused
        return walked

    def _walked(self) -> Walked:
        walked = walk(self.settings.roots)
        if self.settings.lenient:
            emptied = empty_roots(walked, self.settings, self._shelf)
            walked = replace(walked, problems=(*walked.problems, *emptied))
        if walked.problems and not walked.files:
            raise ManifestError(walked.problems)
        return walked

    def _as_read(self, stamp: str) -> bool:
        """Tell whether this object read the same state of the tree last."""
        return self._stamps is not None and self._stamps.files == stamp and self._stamps.templates_stand()

    def _as_wrong(self, stamp: str) -> bool:
        """Tell whether this object read the same state last and found it wrong, and nobody wrote to the cache since.

        For the watch loop, which would read ten thousand manifests every few seconds because one of them is broken.
        """
        if self._wrong is None:
            return False
        stamps, writing = self._wrong
        return stamps.files == stamp and stamps.templates_stand() and self._shelf.stands(writing)

    def _is_kept(self, walked: Walked, stamp: str) -> bool:
        """Take what the cache has of the tree; tell whether that is all of it."""
        try:
            self._stamps = self._from_cache(walked, stamp)
        except Moved:
            self._stamps = None
        return self._stamps is not None

    def _from_cache(self, walked: Walked, stamp: str) -> Stamps | None:
        """Take what is kept, or what is kept and a few edited files; None if the whole tree must be read."""
        kept = self._shelf.look()
        if kept is None or STDIN_NAME in walked.files or not kept.templates_stand():
            return None
        if kept.files != stamp:
            return self._edited(walked, replace(kept, files=stamp))
        self._take(self._shelf.signatures("site"), {})
        return kept

    def _edited(self, walked: Walked, stamps: Stamps) -> Stamps | None:
        """Take the short way, if there is one."""
        from reconciler.manifests.incremental import Incremental

        edit = Incremental(self.settings, self._shelf).edit(walked.files)
        if edit is None:
            return None
        digests = self._shelf.signatures("site")
        for name in edit.gone_sites:
            digests.pop(name, None)
        former = self._shelf.rows("site", [*edit.sites, *edit.gone_sites])
        self._shelf.write(rows.of_edit(edit, walked.files, former), stamps)
        self._take({**digests, **{name: seal_of(site) for name, site in edit.sites.items()}}, edit.sites)
        return stamps

    def _take(self, digests: dict[str, str], fresh: dict[str, DesiredSite]) -> None:
        self._digests, self._fresh = digests, fresh
        self.problems, self._held, self._wrong = (), (), None

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, walked: Walked, stamp: str, *, forget: bool = True) -> None:
        """Read the whole tree; `forget`: let go of the meanings that the cache gives back."""
        from reconciler.manifests.meaning import Meaning

        self._stamps = self._wrong = None
        # before any file: what another process writes from now on may be younger than what is read here
        self._shelf.look()
        cached = self._shelf.files()
        readings = self.written.readings(walked.files, cached)
        former = LastGood(self._shelf, self.settings.last_good) if self.settings.lenient else LastGood()
        meaning = Meaning(self.settings, readings, former, walked.problems)
        meaning.resolve()
        self.problems = (*walked.problems, *meaning.problems)
        if self.problems and not self.settings.lenient:
            raise ManifestError(self.problems)
        self._fresh = dict(meaning.sites)
        self._digests = {name: _sealed(site, meaning.held.get(name)) for name, site in meaning.sites.items()}
        held = sorted(meaning.held.items())
        holds = [hold_of(name, why, goes_on=name in meaning.sites) for name, why in held]
        self._held = (*holds, *untold_hold(meaning.nameless, holds))
        # what is wrong between files that are each right is found by a whole reading alone: no stamps until then
        self._stamps = None if self.problems else Stamps(stamp, meaning.templates)
        if STDIN_NAME in walked.files:
            return
        kept = self._shelf.write(rows.of_tree(readings, walked.files, cached, self._fresh), self._stamps)
        # what has no line was not read at all, and may be readable the next time although no stat differs
        if kept and self.problems and all(problem.line for problem in self.problems):
            self._wrong = Stamps(stamp, meaning.templates), kept
        if kept and forget:
            self._fresh = {}  # ten thousand of them are a process's memory

    # --- giving ------------------------------------------------------------------------------------------------------

    def declared(self, names: Collection[str]) -> Declared:
        """Give the meaning of these sites; targets and issuers are those that they use.

        Holds are of these sites, or of all if none is named; and of sites that are held and have no meaning.
        """
        try:
            sites = self._meanings(names)
        except Moved:
            # deleted, or replaced by a process that read another state of the tree: the rows do not fit the digests
            walked = self._walked()
            self._read(walked, _hash(walked), forget=False)
            sites = self._meanings(names)
        return Declared(
            names=frozenset(self._digests),
            sites=dict(sorted(sites.items())),
            targets={use.spec.name: use.spec for site in sites.values() for use in site.targets},
            issuers={issuer.name: issuer for site in sites.values() for issuer in site.issuers},
            held=tuple(
                hold for hold in self._held if not names or hold.site in sites or hold.site not in self._digests
            ),
            complete=not self.problems,
        )

    def _meanings(self, names: Collection[str]) -> dict[str, DesiredSite]:
        sites = {name: self._fresh[name] for name in names if name in self._fresh}
        wanted = [name for name in names if name not in sites and name in self._digests]
        kept = self._shelf.rows("site", wanted) if wanted else {}
        return {**sites, **{name: meant(row) for name, row in kept.items()}}


def _hash(walked: Walked) -> str:
    text = "\n".join(f"{path}\0{signature}" for path, signature in sorted(walked.files.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _sealed(site: DesiredSite, held: Why | None) -> str:
    """Sign a site; with what it is held for, so that no pass takes a site whose manifest is broken for a quiet one."""
    seal = seal_of(site)
    return seal if held is None else hashlib.sha256(f"{seal}\0{held.text}".encode()).hexdigest()
