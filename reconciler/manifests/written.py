"""The objects of a tree as they are written, file by file, before anything is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.manifests import reading
from reconciler.manifests.lastgood.emptied import emptied
from reconciler.manifests.walking import STDIN_NAME, walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.manifests.shelf import Shelf
    from reconciler.model.desired import MethodSpec


@dataclass(slots=True)
class Written:
    """Reads files, or takes what the cache has of those that did not change. Standard input is read once."""

    _settings: Settings
    _shelf: Shelf
    _stdin: FileReading | None = None

    def readings(self, files: Mapping[str, str], cached: Mapping[str, tuple[str, str]]) -> list[FileReading]:
        """Give what each of the files (path to signature of its stat) says; `cached` are the cache's rows of files."""
        return [self._reading(path, signature, cached) for path, signature in files.items()]

    def resources(self) -> tuple[Resource, ...]:
        """Give every valid object of the tree, of all kinds, and the built-in ones beside them.

        For `get` and `describe`; broken documents are left out, and no built-in one stands for them.
        """
        from reconciler.manifests.resolving.builtins import builtin_objects

        readings = self._now()
        found = [one for read in readings for one in read.resources]
        declared = {(one.kind, one.name) for one in found}
        declared |= {(one.kind or "", one.name or "") for read in readings for one in read.invalid}
        return (*found, *(one for one in builtin_objects() if (one.kind, one.name) not in declared))

    def methods(self, server: str) -> Mapping[str, MethodSpec]:
        """Give every ChallengeMethod of the tree by its name, whether or not a site uses it, as on a Server."""
        from reconciler.manifests.resolving.specs import ObjectResolver

        found = self.resources()
        spec: Any = next((one.spec for one in found if (one.kind, one.name) == ("Server", server)), None)
        made = ObjectResolver(spec, self._settings.read_template, [])
        return {one.name: made.method(one) for one in found if one.kind == "ChallengeMethod"}

    @property
    def is_bare(self) -> bool:
        """Whether no file says anything, not even of a Server: what writes it may have failed."""
        return not any(read.resources or read.problems for read in self._now())

    def _now(self) -> list[FileReading]:
        return self.readings(walk(self._settings.roots).files, self._shelf.files())

    def _reading(self, path: str, signature: str, cached: Mapping[str, tuple[str, str]]) -> FileReading:
        if path == STDIN_NAME:
            self._stdin = self._stdin or reading.read_file(path)  # there is nothing left to read after that
            return self._stdin
        row = cached.get(path)
        if row is not None and row[0] == signature and signature:
            try:
                return reading.FileReading(path, reading.unpack(row[1]))
            except ValueError:
                pass
        read = reading.read_file(path)
        return emptied(read, row[1]) if row is not None and self._settings.lenient else read
