"""Files of one batch, switched forward or back as a whole or site by site; the former bytes are on record first."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.execute.batches.switching import blocks
from reconciler.execute.batches.switching.content import Content, read
from reconciler.model.names import Part
from reconciler.model.observed import InstalledFile
from reconciler.model.ports import Changed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.model.ports import Artifact, Bundle

_OURS: Final = frozenset({Part.CONFIG, Part.TASK})  # never in a tenant's tree


class SwitchStuck(Failed):
    """Files are left half-way; what is needed to put them back is on record."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One file of one site (`site` is empty for a target's own): from `before` to `after`, None means no file.

    `fragment`: both are the site's block in a file that sites share. `own_directory`: its directory is made if missing.
    `headless`: what is not ours stands above the blocks of that file, and goes. `stood`: that file was there without a
    block, which a server may need: it stays.
    """

    site: str
    path: str
    part: Part
    before: Content | None
    after: Content | None
    revision: str | None = None
    fragment: bool = False
    own_directory: bool = False
    headless: bool = False
    stood: bool = False

    @property
    def differs(self) -> bool:
        """Tell whether there is anything to do."""
        return self.before != self.after or self.headless

    @property
    def moves(self) -> bool:
        """Tell whether there is a file to change."""
        return self.differs and self.part is not Part.TASK

    @property
    def changed(self) -> Changed:
        """Tell what the swap does to its path."""
        if self.fragment or (self.before and self.after):
            return Changed(self.path, self.part, "replace")
        return Changed(self.path, self.part, "create" if self.after else "remove")


def wanted(artifact: Artifact, bundle: Bundle | None) -> Content:
    """Make the content of an artifact: its text, or its part of the bundle."""
    born = None if artifact.own_directory or artifact.part in _OURS else files.born_at(artifact.path)
    uid, gid = born or (_uid(artifact.owner), _gid(artifact.group, artifact.owner))
    if artifact.text is not None:
        return Content(artifact.text.encode(), artifact.mode, uid, gid)
    if bundle is None:
        raise Failed("Missing", f"{artifact.path} needs a certificate and there is none yet")
    return Content(material(artifact.part, bundle), artifact.mode, uid, gid)


def material(part: Part, bundle: Bundle) -> bytes:
    """Give what a file of this part holds."""
    match part:
        case Part.KEY:
            return bundle.key.reveal()
        case Part.CERTIFICATE:
            return bundle.certificate
        case Part.CHAIN:
            return bundle.chain
        case Part.COMBINED:
            return bundle.key.reveal() + bundle.fullchain
        case _:
            return bundle.fullchain


def _uid(owner: str | None) -> int:
    if owner is None:
        return os.geteuid()
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise Failed("PathRefused", f"there is no user {owner} on this machine") from None


def _gid(group: str | None, owner: str | None) -> int:
    try:
        if group is not None:
            return grp.getgrnam(group).gr_gid
        return pwd.getpwnam(owner).pw_gid if owner is not None else os.getegid()
    except KeyError:
        raise Failed("PathRefused", f"there is no group {group or owner} on this machine") from None


@dataclass(slots=True)
class Switch:
    """The files of a batch. `forward` and `back` may be repeated and take any subset of the sites."""

    swaps: tuple[Swap, ...]
    done: dict[str, files.FileStat] = field(default_factory=dict)

    def record(self) -> bytes:
        """Give what is needed to put everything back: former bytes and new digests, as JSON."""
        rows: list[dict[str, object]] = [
            {
                "path": swap.path,
                "before": _plain(swap.before),
                "digest": swap.after.digest if swap.after else None,
                **({"block": swap.site} if swap.fragment else {}),
                **({"stays": True} if swap.stood else {}),
            }
            for swap in self.swaps
            if swap.moves
        ]
        return json.dumps({"v": 1, "files": rows}).encode()

    def forward(self, sites: Collection[str] | None = None) -> None:
        """Put the new files of these sites in place: all staged first, so that a full disk changes nothing."""
        swaps = [swap for swap in self._of(sites) if swap.moves]
        shared = self._shared(swaps, {(swap.path, swap.site): swap.after for swap in swaps if swap.fragment})
        whole = ordered([(swap.path, swap.after) for swap in swaps if not swap.fragment], shared)
        new = [(path, after.plain) for path, after in whole if after is not None]
        staged: list[files.Staged] = []
        try:
            _make_directories({swap.path.rpartition("/")[0] for swap in swaps if swap.own_directory})
            for path, content in new:
                staged.append(files.stage_file(path, content.data, mode=content.mode, uid=content.uid, gid=content.gid))
            for (path, _), facts in zip(new, files.switch(*staged), strict=True):
                self.done[path] = facts
            for path, after in whole:
                if after is None:
                    files.remove_file(path)
        except BaseException:
            try:
                files.discard(*staged)
            finally:
                self.back(sites)
            raise

    def back(self, sites: Collection[str] | None = None) -> None:
        """Put the former files of these sites back in place, as far as they were replaced.

        Raises Failed(SwitchStuck) after all were tried: the switch is then still on record, and the next batch of the
        target begins with putting back what is left.
        """
        left: list[str] = []
        swaps = [swap for swap in self._of(sites) if swap.moves]
        try:
            shared = self._shared(swaps, {(swap.path, swap.site): swap.before for swap in swaps if swap.fragment})
        except Failed as failure:
            shared, left = [], [str(failure)]
        for path, before in ordered([(swap.path, swap.before) for swap in swaps if not swap.fragment], shared):
            self.done.pop(path, None)
            try:
                now = read(path)
                if (now and now.plain) != (before and before.plain):
                    restore(path, before)
            except Failed as failure:
                left.append(str(failure))
        if left:
            raise SwitchStuck("SwitchStuck", f"the former files could not be put back: {left[0]}")

    @staticmethod
    def _shared(
        swaps: Collection[Swap], edits: Mapping[tuple[str, str], Content | None]
    ) -> list[tuple[str, Content | None]]:
        """Give each shared file that these swaps touch, as it stands now but with these blocks."""
        paths = dict.fromkeys(swap.path for swap in swaps if swap.fragment)
        stood = {swap.path for swap in swaps if swap.stood}
        own = {path: {site: text for (at, site), text in edits.items() if at == path} for path in paths}
        return [(path, blocks.edited(read(path), own[path], stays=path in stood)) for path in paths]

    def owners(self) -> Mapping[str, str]:
        """Give the site of each file that is one site's alone."""
        return {swap.path: swap.site for swap in self.swaps if not swap.fragment}

    def changed(self, failed: Collection[str]) -> tuple[Changed, ...]:
        """Tell what the swaps of all sites but these do."""
        return tuple(swap.changed for swap in self.swaps if swap.differs and swap.site not in failed)

    def _of(self, sites: Collection[str] | None) -> Iterable[Swap]:
        return (swap for swap in self.swaps if sites is None or swap.site in sites)

    def installed(self, sites: Collection[str]) -> Mapping[str, tuple[InstalledFile, ...]]:
        """Describe the files of each of these sites as they now stand, for the inventory."""
        rows: dict[str, list[InstalledFile]] = {site: [] for site in sites}
        for swap in self.swaps:
            if swap.site in rows and swap.after is not None:
                rows[swap.site].append(self._installed(swap, swap.after))
        return {site: tuple(found) for site, found in rows.items()}

    def _installed(self, swap: Swap, after: Content) -> InstalledFile:
        facts = self.done.get(swap.path) or (files.stat_file(swap.path) if swap.part is not Part.TASK else None)
        rights = after.digest, after.mode, after.uid, after.gid
        return InstalledFile(
            swap.path, swap.part, *rights, facts.signature if facts else "", swap.revision, swap.fragment
        )


def _make_directories(own: Collection[str]) -> None:
    """Make a target's own directory where it is missing; the one above it must be there."""
    for path in own:
        if path and files.stat_file(path) is None:
            above, _, name = path.rpartition("/")
            with files.open_directory(above or "/") as base, files.open_directory(name, base=base, make=True):
                pass


Files = Sequence[tuple[str, Content | None]]


def ordered(own: Files, shared: Files) -> Files:
    """Order what is to be written: what a shared file names is there before it is named, and goes after that."""
    return [*(one for one in own if one[1] is not None), *shared, *(one for one in own if one[1] is None)]


def restore(path: str, before: Content | None) -> None:
    """Make a path what it was, but for set-id and sticky bits."""
    if before is None:
        files.remove_file(path)
    else:
        files.write_file(path, before.data, mode=before.plain.mode, uid=before.uid, gid=before.gid)


def _plain(content: Content | None) -> dict[str, object] | None:
    if content is None:
        return None
    data = base64.b64encode(content.data).decode()
    return {"data": data, "mode": content.mode, "uid": content.uid, "gid": content.gid}


def returned(file: InstalledFile) -> InstalledFile:
    """Give the record of a file that was put back: a new inode has a new signature."""
    facts = files.stat_file(file.path) if file.part is not Part.TASK else None
    return file if facts is None else replace(file, signature=facts.signature)


def sweep(directories: Iterable[str]) -> None:
    """Remove staged files that a killed process left in these directories."""
    for directory in set(directories):
        with suppress(Failed):
            files.remove_leftovers(directory or "/")
