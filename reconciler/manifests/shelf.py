"""What the cache has of one tree: rows of five kinds that were written together, and that are read together only.

Each writing has an id of its own, which stands in every kind beside its rows. A pass notes the id once and compares it
with each answer: rows of another writing, or none where there should be some, are as good as no cache. A writing
replaces the one that it was made from, all or nothing. So no crash, full disk or second process mixes two of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.manifests.walking import signature_of
from reconciler.model import plain
from reconciler.model.desired import DesiredSite
from reconciler.model.ports_store import Rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.manifests.settings import Settings
    from reconciler.model.ports import Cache

Row: TypeAlias = tuple[str, str]
"""Signature and payload."""

KINDS: Final = ("file", "shared", "where", "site", "claim")
"""Objects by file; files with other objects than Sites; names of Sites; meanings by name; owners by target, hostname.

`shared` and `where` are bare keys. The signature of a file is its stat, of a meaning its seal, of a claim its owner.
"""
_STAMPS: Final = "tree"
_ID: Final = ""  # neither a path, a name nor a claim is empty


class Moved(Exception):
    """The rows are not, or no longer, those of the writing that was looked at."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """Of which state of the world a writing tells: a hash over all files of the tree; templates with signatures."""

    files: str
    templates: Mapping[str, str]

    def templates_stand(self) -> bool:
        """Tell whether the templates are those that were read."""
        return all(signature_of(path) == signature for path, signature in self.templates.items())


@dataclass(slots=True)
class Shelf:
    """One tree's rows. Call `look` first; what follows answers of that writing, or raises Moved."""

    cache: Cache
    space: str
    _writing: str | None = None

    @classmethod
    def of(cls, settings: Settings, cache: Cache) -> Shelf:
        """Find the place of a tree in the cache: trees of other roots or servers do not meet."""
        key = json.dumps([settings.roots, settings.server, settings.hostname])
        return cls(cache, hashlib.sha256(key.encode()).hexdigest()[:12])

    def look(self) -> Stamps | None:
        """Begin with what is there now; give its stamps, None where the next reading must be of the whole tree."""
        rows = self.cache.rows(self._name(_STAMPS))
        self._writing = rows[_ID][0] if _ID in rows else None
        if self._writing is None or "files" not in rows:
            return None
        files, templates = rows["files"]
        return Stamps(files, json.loads(templates))

    def stands(self, writing: str) -> bool:
        """Tell whether nobody wrote since this writing."""
        return self.cache.signatures(self._name(_STAMPS)).get(_ID) == writing

    def signatures(self, kind: str) -> dict[str, str]:
        """Give every key's signature."""
        found = dict(self.cache.signatures(self._name(kind)))
        self._compare(found.pop(_ID, None))
        return found

    def rows(self, kind: str, keys: Collection[str] | None = None) -> dict[str, tuple[str, str]]:
        """Give signature and payload by key; of all keys if None."""
        found = dict(self.cache.rows(self._name(kind), None if keys is None else [*keys, _ID]))
        self._compare(found.pop(_ID, (None, ""))[0])
        return found

    def files(self) -> Mapping[str, tuple[str, str]]:
        """Give the rows of files by path, of whichever writing: each is true as long as its own signature holds."""
        return self.cache.rows(self._name("file"))

    def write(self, rows: Mapping[str, Rewrite], stamps: Stamps | None) -> str | None:
        """Replace the writing that was looked at, of which rows not named here remain; give its id if that was done.

        Without stamps the next reading is of the whole tree.
        """
        writing = os.urandom(8).hex()
        signed = {} if stamps is None else {"files": (stamps.files, json.dumps(dict(stamps.templates)))}
        whole = {**{kind: Rewrite() for kind in KINDS}, **rows, _STAMPS: Rewrite(signed, whole=True)}
        writes = {self._name(kind): replace(one, rows={**one.rows, _ID: (writing, "")}) for kind, one in whole.items()}
        if not self.cache.put_all(writes, (self._name(_STAMPS), _ID), self._writing):
            return None
        self._writing = writing
        return writing

    def _name(self, kind: str) -> str:
        return f"tree/{self.space}/{kind}"

    def _compare(self, writing: str | None) -> None:
        if self._writing is None or writing != self._writing:
            raise Moved


def meant(row: Row) -> DesiredSite:
    """Read a meaning back."""
    return plain.from_plain(DesiredSite, json.loads(row[1]))
