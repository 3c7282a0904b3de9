"""One file of the tree: its resources and its problems, from the cache where its stat says that it is the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.errors import Problem
from reconciler.manifests.walking import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.manifests.kinds.validate import Invalid, Resource


SHARED: Final = ("Server", "Issuer", "ChallengeMethod", "HostnameSet", "Target")
"""The kinds that many sites refer to."""


@dataclass(frozen=True, slots=True)
class FileReading:
    """What a file gave. `invalid` are its broken documents as far as they could be named; none of what is no text."""

    path: str
    resources: tuple[Resource, ...] = ()
    invalid: tuple[Invalid, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_file(path: str) -> FileReading:
    """Read and validate a file; its problems are in the reading."""
    from reconciler.manifests.kinds.validate import Resource, torn, validate_document
    from reconciler.manifests.text.documents import read_documents

    raw = read(path)
    if isinstance(raw, Problem):
        return FileReading(path, problems=(raw,))
    reading = read_documents(raw, path)
    checked = [validate_document(document) for document in reading.documents]
    resources = tuple(one for one in checked if isinstance(one, Resource))
    wrong = [one for one in checked if not isinstance(one, Resource)]
    invalid = (*(torn(document, found) for document, found in reading.torn), *wrong)
    problems = (*reading.problems, *(problem for one in wrong for problem in one.problems))
    return FileReading(path, resources, invalid, problems)


def pack(reading: FileReading) -> str:
    """Write the resources of a file that has no problem, for the cache."""
    from reconciler.manifests.kinds.cached import to_json

    return json.dumps([[one.kind, one.name, to_json(one)] for one in reading.resources], separators=(",", ":"))


def unpack(text: str, kinds: Iterable[str] | None = None) -> tuple[Resource, ...]:
    """Read them back, those of some kinds only if asked; ValueError if this version did not write them."""
    from reconciler.manifests.kinds.cached import from_json

    wanted = None if kinds is None else frozenset(kinds)
    return tuple(from_json(row) for kind, _, row in json.loads(text) if wanted is None or kind in wanted)


def names_in(text: str) -> tuple[tuple[str, str], ...]:
    """Give kind and name of each packed resource, without making it."""
    return tuple((kind, name) for kind, name, _ in json.loads(text))
