"""Documents become resources, or problems that a person can mend; all of a document at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import ValidationError

from reconciler.manifests.kinds.fields import described
from reconciler.manifests.kinds.messages import path_of, sentence_for
from reconciler.manifests.kinds.metadata import Metadata
from reconciler.manifests.kinds.nearest import nearest, suggestion
from reconciler.manifests.kinds.parts import NO_LITERAL
from reconciler.manifests.kinds.registry import API_VERSION, KINDS, METHOD_TYPES, SECRETS, Spec, shape_of
from reconciler.manifests.text.rawtext import shown
from reconciler.model.text import clean

if TYPE_CHECKING:
    from reconciler.errors import Problem
    from reconciler.manifests.kinds.base import Shape
    from reconciler.manifests.text.documents import Document
    from reconciler.manifests.text.source import Path, Source

_ENVELOPE: Final = ("apiVersion", "kind", "metadata", "spec")
_PROBLEM_LIMIT: Final = 50
_HINTS: Final = {
    "status": "`status` is never read from a manifest: remove it",
}
_ON_SITES_ONLY: Final = "certwright/"

Found = tuple["Path", str, bool, bool]
"""Path, message, whether the key is meant, whether the line may be quoted."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A validated object of the tree. `spec` is what its manifest says, nothing taken over from elsewhere."""

    kind: str
    metadata: Metadata
    spec: Spec
    source: Source

    @property
    def name(self) -> str:
        """Give `metadata.name`."""
        return self.metadata.name

    def problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        """Make a problem at a field, such as `("spec", "issuers", 0)`."""
        quote = not any((self.kind, part) in SECRETS for part in path)
        return self.source.problem(path, message, key=key, quote=quote)


@dataclass(frozen=True, slots=True)
class Invalid:
    """A document that is no valid object; `kind` and `name` as far as they could be read."""

    kind: str | None
    name: str | None
    problems: tuple[Problem, ...]
    source: Source


def validate_document(document: Document) -> Resource | Invalid:
    """Check one document against its kind's shape."""
    data, source = document.data, document.source
    if not isinstance(data, dict):
        return Invalid(None, None, (source.problem((), f"an object is expected here, not {described(data)}"),), source)
    kind = _readable_kind(data)
    found = _envelope(data)
    metadata = _shaped(Metadata, data.get("metadata"), ("metadata",), found) if "metadata" in data else None
    spec = _spec(kind, data, found) if kind else None
    if kind and isinstance(metadata, Metadata):
        found += _misplaced_annotations(kind, metadata) + _misnamed(kind, metadata)
    if found or kind is None or not isinstance(metadata, Metadata) or spec is None:
        return Invalid(kind, _readable_name(data), tuple(sorted(source.problems(found[:_PROBLEM_LIMIT]))), source)
    return Resource(kind, metadata, cast("Spec", spec), source)


def torn(document: Document, problems: tuple[Problem, ...]) -> Invalid:
    """Give a document that is no YAML, with what it would have been as far as it could be read."""
    data = document.data if isinstance(document.data, dict) else {}
    return Invalid(_readable_kind(data), _readable_name(data), problems, document.source)


def _readable_kind(data: dict[str, Any]) -> str | None:
    kind = data.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS else None


def _readable_name(data: dict[str, Any]) -> str | None:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def _envelope(data: dict[str, Any]) -> list[Found]:
    found: list[Found] = [((field,), _stray(field, data), True, True) for field in data if field not in _ENVELOPE]
    missing = [field for field in ("apiVersion", "kind", "metadata") if field not in data]
    meant = {nearest(field, _ENVELOPE) for field in data if field not in _ENVELOPE}
    found += [((), f"`{field}` is missing" + _example(field), False, True) for field in missing if field not in meant]
    if "apiVersion" in data and data["apiVersion"] != API_VERSION:
        found.append((("apiVersion",), f"`{API_VERSION}` is expected here", False, True))
    kind = data.get("kind")
    if "kind" in data and (not isinstance(kind, str) or kind not in KINDS):
        said = (
            f"unknown kind {shown(kind)}: {suggestion(kind, KINDS)}"
            if isinstance(kind, str)
            else f"known kinds are {', '.join(KINDS)}"
        )
        found.append((("kind",), said, False, True))
    return found


def _example(field: str) -> str:
    return {"apiVersion": f": write `apiVersion: {API_VERSION}`", "metadata": ": write `metadata: {name: NAME}`"}.get(
        field, ""
    )


def _stray(field: str, data: dict[str, Any]) -> str:
    shape = shape_of(str(data.get("kind")), _type_of(data))
    if field in _HINTS:
        return _HINTS[field]
    if shape and field in fields_of(shape):
        return f"`{field}` belongs below `spec`"
    return f"unknown field `{clean(field, 60)}`: {suggestion(field, _ENVELOPE)}"


def _type_of(data: dict[str, Any]) -> str | None:
    spec = data.get("spec")
    type_ = spec.get("type") if isinstance(spec, dict) else None
    return type_ if isinstance(type_, str) else None


def _spec(kind: str, data: dict[str, Any], found: list[Found]) -> Shape | None:
    spec, types = data.get("spec", {}), KINDS[kind]
    if not isinstance(spec, dict) or "spec" not in data:
        stands = f"a mapping is expected here, not {described(spec)}"
        found.append((("spec",), stands, False, True) if "spec" in data else ((), "`spec` is missing", False, True))
        return None
    if isinstance(types, dict) and spec.get("type") not in tuple(types):
        found.append(_wrong_type(spec, types))
        return None
    shape = shape_of(kind, _type_of(data))
    return _shaped(shape, spec, ("spec",), found, kind) if shape else None


def _wrong_type(spec: dict[str, Any], types: dict[str, type[Spec]]) -> Found:
    known = ", ".join(types)
    if "type" not in spec:
        near = next((field for field in spec if nearest(field, ["type"])), None)
        if near is not None:
            return (("spec", near), f"unknown field `{clean(near, 60)}`: did you mean `type`?", True, True)
        return (("spec",), f"`type` is missing: one of {known}", True, True)
    if isinstance(spec["type"], str):
        return (("spec", "type"), f"unknown type {shown(spec['type'])}: {suggestion(spec['type'], types)}", False, True)
    return (("spec", "type"), f"one of {known} is expected here", False, True)


def _shaped(shape: type[Shape], value: object, base: Path, found: list[Found], kind: str = "") -> Shape | None:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        errors = cast("list[dict[str, Any]]", error.errors(include_url=False))
        found += _told(shape, errors, base, kind)
        return None


def _told(shape: type[Shape], errors: list[dict[str, Any]], base: Path, kind: str) -> list[Found]:
    told: list[Found] = []
    secrets: set[Path] = set()
    meant = {
        (*error["loc"][:-1], nearest(str(error["loc"][-1]), fields_at(shape, tuple(error["loc"][:-1]))))
        for error in errors
        if error["type"] == "extra_forbidden"
    }
    for error in errors:
        path = path_of(error)
        secret = _secret_part(kind, path)
        if error["type"] == "missing" and tuple(error["loc"]) in meant:
            continue
        if secret is not None:
            if secret not in secrets:
                secrets.add(secret)
                told.append(((*base, *secret), _about_secret(error, path, secret), False, False))
            continue
        around = path[:-1] if error["type"] in {"extra_forbidden", "missing"} else path
        message = sentence_for(error, fields_at(shape, around))
        at = (*base, *(path if error["type"] == "extra_forbidden" else around))
        told.append((at, message, error["type"] in {"extra_forbidden", "missing"}, True))
    return told


def _about_secret(error: dict[str, Any], path: Path, secret: Path) -> str:
    if path == secret and error["type"] == "sentence":
        return str(error["ctx"]["message"])
    if path == (*secret, "file") and "value" in error["type"]:
        return "the `file` of a secret is no path that can be used: write it absolute, without `..` and odd characters"
    return f"`{secret[-1]}` is missing" if path == secret and error["type"] == "missing" else NO_LITERAL


def _secret_part(kind: str, path: Path) -> Path | None:
    return next((path[: number + 1] for number, part in enumerate(path) if (kind, part) in SECRETS), None)


def _misplaced_annotations(kind: str, metadata: Metadata) -> list[Found]:
    if kind == "Site":
        return []
    return [
        (("metadata", "annotations", key), f"`{key}` is for a Site, not for a {kind}", True, True)
        for key in metadata.annotations
        if key.startswith(_ON_SITES_ONLY)
    ]


def _misnamed(kind: str, metadata: Metadata) -> list[Found]:
    """Refuse a method with the name of a type: `certwright solve SITE NAME=dns-01` would have two meanings."""
    if kind != "ChallengeMethod" or metadata.name not in METHOD_TYPES:
        return []
    return [(("metadata", "name"), f"{metadata.name} is the name of a type: name the method otherwise", False, True)]


@cache
def fields_of(shape: type[Shape]) -> tuple[str, ...]:
    """Give the names of a shape's fields as they are written in YAML."""
    return tuple(info.alias or name for name, info in shape.model_fields.items())


def fields_at(shape: type[Shape], path: Path) -> tuple[str, ...]:
    """Give the names of the fields that the mapping at `path` may have; none if it is no closed mapping."""
    from reconciler.manifests.kinds.walk import shape_at

    found = shape_at(shape, path)
    return fields_of(found) if found else ()
