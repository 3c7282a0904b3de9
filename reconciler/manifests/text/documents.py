"""Door to pyyaml: bytes become documents, each value with its place.

Only the parser's events are taken from pyyaml (libyaml's, if it is there); what they mean is decided here: the core
schema of YAML 1.2.2, no tags, no merge keys, text keys only, each key once, and bounds on depth, size and aliases.
One broken document hides neither the others of its file nor their problems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import Problem
from reconciler.manifests.text.composing import Composer, Refused
from reconciler.manifests.text.rawtext import (
    PRIVATE_KEY_MESSAGE,
    decode,
    excerpt,
    place_of,
    private_key_in,
    split,
)
from reconciler.manifests.text.source import Path, Places, Source
from reconciler.manifests.text.syntax import syntax_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.manifests.text.composing import Data


@dataclass(frozen=True, slots=True)
class Document:
    """One document that is well-formed YAML: its data (JSON values), and where they stand."""

    data: Data
    source: Source

    def place(self, path: Path = (), *, key: bool = False) -> tuple[int, int]:
        """Give line and column, from 1, of a value or its key."""
        return self.source.place(path, key=key)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave: the documents that could be read, and every problem of the others.

    `torn` are those others as far as they could be read, each with its own problems.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    torn: tuple[tuple[Document, tuple[Problem, ...]], ...] = ()


def read_documents(raw: bytes, file: str) -> Reading:
    """Read a file's bytes. Never raises for what stands in them; empty documents are left out."""
    text = decode(raw, file)
    if isinstance(text, Problem):
        return Reading((), (text,))
    read = [_read(Source(file, chunk.line, chunk.text)) for chunk in split(text)]
    return Reading(
        tuple(document for document, found in read if not found and document.data is not None),
        tuple(problem for _, found in read for problem in found),
        tuple((document, tuple(found)) for document, found in read if found),
    )


def places_in(source: Source) -> Places:
    """Give the places of all values and of all keys of a document; of those before its first syntax error."""
    composer = Composer(places=True)
    _feed(source.text, composer)
    shift = source.line - 1
    values, keys = composer.values, composer.keys
    return (
        {path: (line + shift, column) for path, (line, column) in values.items()},
        {path: (line + shift, column) for path, (line, column) in keys.items()},
    )


def _read(source: Source) -> tuple[Document, list[Problem]]:
    secret = private_key_in(source.text)
    if secret is not None:
        line, column = place_of(source.text, secret)
        return Document(None, source), [Problem(source.file, line + source.line - 1, column, PRIVATE_KEY_MESSAGE)]
    composer = Composer(first_line=source.line)
    failed = _feed(source.text, composer)
    found = [*composer.problems, failed] if failed else composer.problems
    problems = [
        Problem(
            source.file,
            refused.line + source.line - 1,
            refused.column,
            refused.message,
            excerpt(source.text, refused.line),
        )
        for refused in found
    ]
    return Document(composer.root, source), problems


def _feed(text: str, composer: Composer) -> Refused | None:
    """Run the parser over a document; give what stopped it."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    take: Callable[[object], None] = composer.take
    try:
        for event in yaml.parse(text, Loader=loader):
            take(event)
    except Refused as refused:
        return refused
    except yaml.MarkedYAMLError as error:
        return syntax_problem(error, text)
    except yaml.YAMLError:
        return Refused(1, 1, "this is not YAML")
    return None


__all__ = ["Document", "Path", "Reading", "Source", "places_in", "read_documents"]
