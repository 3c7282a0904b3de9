"""http-01 (RFC 8555 section 8.3): a file under a webroot, or an answer of our own listener."""

from __future__ import annotations

import os
import pwd
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.challenges.identity import begins_proof, checked_hostname, checked_token, proves, undo_for
from reconciler.doors.files import api as files
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from reconciler.challenges.ports import Ports, Published
    from reconciler.model.desired import Listener, Webroot
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Asked

_WELL_KNOWN: Final = ".well-known"
_BELOW: Final = f"{_WELL_KNOWN}/acme-challenge"
_DIRECTORY_MODE: Final = 0o755
_LARGEST: Final = 1024
_TRIES: Final = 3


class WebrootSolver:
    """Writes answers under `DIRECTORY/.well-known/acme-challenge/`. Safe for threads and beside other processes."""

    def __init__(self, way: Webroot, made: set[str] | None = None) -> None:
        """`made` is shared by the solvers of a process: directories of ours that other tokens may still use."""
        self._way = way
        self._made = set() if made is None else made

    def prepare(self, site: str, hostname: str, token: str, asked: Asked | None = None) -> Undo:  # noqa: ARG002  a file is its token's
        """Tell which file will be written and which directories are made for it. Raises Failed(WebrootMissing ...)."""
        root = self._root(hostname)
        name = checked_token(token)
        with self._open(root) as base:
            missing = [path for path in (_BELOW, _WELL_KNOWN) if self._makes(f"{root}/{path}", path, base)]
        return undo_for("webroot", site, f"{root}/{_BELOW}", name, tuple(f"{root}/{path}" for path in missing))

    def present(self, thing: Undo, key_authorization: str) -> Undo:
        """Write the file, and give the record with its identity. The same answer already there is as good.

        Raises Failed: TokenExists, WebrootMissing, NoSuchUser, and those of `doors.files`.
        """
        self._made.update(thing.made)
        for left in reversed(range(_TRIES)):
            try:
                return replace(thing, identity=self._written(thing, key_authorization.encode()))
            except files.FileFailed as failure:
                # another process removed the directory, which was empty, while we were about to use it
                if failure.reason not in {"NoSuchFile", "NoSuchDirectory"} or not left:
                    raise
        raise AssertionError  # the loop returns or raises

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:
        """A file is there as soon as it is written."""

    def _written(self, thing: Undo, content: bytes) -> str:
        root = thing.place.removesuffix(f"/{_BELOW}")
        uid = self._uid()
        with (
            self._open(root) as base,
            files.open_directory(_BELOW, base=base, make=True, mode=_DIRECTORY_MODE) as directory,
        ):
            there = files.stat_file(thing.name, base=directory)
            if there is not None and self._is_begun(thing, there, content, directory):
                files.remove_file(thing.name, base=directory, expected=there)
                there = None
            if there is None:
                files.create_file(directory, thing.name, content, mode=self._way.mode, uid=uid)
                files.sync_directory(directory)
                there = files.stat_file(thing.name, base=directory)
            elif there.kind != "file" or files.read_file(thing.name, _LARGEST, base=directory) != content:
                message = f"{thing.place}/{thing.name} exists already and is not ours; remove it"
                raise Failed("TokenExists", message)
        if there is None:
            raise Failed("TokenVanished", f"somebody removed {thing.place}/{thing.name} as soon as it was written")
        return _identity(there)

    def _is_begun(self, thing: Undo, there: files.FileStat, content: bytes, directory: files.Directory) -> bool:
        """Tell whether a process of ours that was killed has begun it and not finished: nothing of others is lost."""
        owners = {os.geteuid(), self._uid(), directory.tenant}
        if there.kind != "file" or there.size >= len(content) or there.links != 1 or there.uid not in owners:
            return False
        return content.startswith(files.read_file(thing.name, _LARGEST, base=directory))

    @contextmanager
    def _open(self, root: str) -> Iterator[files.Directory]:
        """Hold the webroot itself; only the built-in one is made by us."""
        try:
            with files.open_directory(root, make=self._way.builtin, mode=_DIRECTORY_MODE) as base:
                yield base
        except files.FileFailed as failure:
            if self._way.builtin and failure.reason == "PermissionDenied":
                why = f"{failure}; or once as root: install -d -o {os.geteuid()} -m 0755 {root}"
                raise Failed(failure.reason, why) from None
            if failure.reason != "NoSuchDirectory":
                raise
            message = f"the webroot {root} does not exist; create it, or correct `webroot.directory`"
            raise Failed("WebrootMissing", message) from None

    def _makes(self, path: str, relative: str, base: files.Directory) -> bool:
        return path in self._made or files.stat_file(relative, base=base) is None

    def _root(self, hostname: str) -> str:
        directory = self._way.directory.rstrip("/")
        if "{hostname}" in directory:
            directory = directory.replace("{hostname}", checked_hostname(hostname))
        return directory

    def _uid(self) -> int | None:
        if self._way.owner is None:
            return None
        try:
            return pwd.getpwnam(self._way.owner).pw_uid
        except KeyError:
            message = f"the webroot's owner {self._way.owner} is no user of this machine"
            raise Failed("NoSuchUser", message) from None


class ListenerSolver:
    """Publishes answers in the store; whichever certwright process holds the port serves them."""

    def __init__(self, way: Listener, published: Published, ports: Ports) -> None:
        self._way, self._published, self._ports = way, published, ports

    def prepare(self, site: str, hostname: str, token: str, asked: Asked | None = None) -> Undo:  # noqa: ARG002  one listener serves all names
        """Tell which token will be published."""
        return undo_for("token", site, "", checked_token(token))

    def present(self, thing: Undo, key_authorization: str) -> Undo:
        """Publish the answer, then make sure that a certwright process listens.

        Raises Failed: PortTaken, PortNotAllowed, PortUnusable.
        """
        port = self._ports.get(self._way.address, self._way.port)
        with port.publishing():
            self._published.put_token(thing.name, key_authorization)
        port.ensure()
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:
        """An answer is there as soon as it is published."""


def remove(thing: Undo, made: set[str]) -> None:
    """Remove a file if it is the one that we wrote, then the directories that we made, if they are empty.

    Also of a webroot that is no longer declared. Raises those of `doors.files`.
    """
    path = f"{thing.place}/{thing.name}"
    try:
        found = files.stat_file(path)
    except files.Diverted:
        # somebody put a link, or a file, in a directory's place: the path leads to nothing of ours any more
        found = None
    if found is not None and _is_ours(thing, path, found):
        files.remove_file(path, expected=found)
    for directory in thing.made:
        try:
            files.remove_directory(directory)
        except files.FileFailed:
            # somebody uses it
            return
        made.discard(directory)


def _is_ours(thing: Undo, path: str, found: files.FileStat) -> bool:
    """Judge by inode; where a crash came before that was noted, by content, which nobody else writes there."""
    if thing.identity is not None:
        return _identity(found) == thing.identity
    if found.kind != "file" or found.size > _LARGEST:
        return False
    content = files.read_file(path, _LARGEST)
    return proves(content, thing.name) or (found.links == 1 and begins_proof(content, thing.name))


def _identity(facts: files.FileStat) -> str:
    return f"{facts.device}:{facts.inode}"
