"""The envelope's `metadata`, the same for every kind."""

import re
from typing import Annotated, Final

from pydantic import Field, PlainValidator, WithJsonSchema

from reconciler.manifests.kinds.base import Shape
from reconciler.manifests.kinds.fields import Misfit, Name, bounded_text, described, need_text
from reconciler.manifests.kinds.nearest import suggestion
from reconciler.manifests.text.rawtext import shown
from reconciler.model.text import clean

PREFIX: Final = "certwright/"
ANNOTATIONS: Final[dict[str, tuple[str, str | None]]] = {
    "certwright/renewAt": ("A new value renews once.", None),
    "certwright/retryAt": ("A new value tries again now.", None),
    "certwright/prune": ("disabled: the site is never removed.", "disabled"),
    "certwright/allow-trust-loss": ('"true": a certificate may be replaced by one of a lower trust.', "true"),
}
"""Our own annotations: what each does, and the one value it takes (None: any)."""

_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?", re.ASCII)
_LABEL: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_ENTRIES_LIMIT: Final = 64
_ANNOTATION_LIMIT: Final = 1000


def _entries(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"a mapping of names to texts is expected here, not {described(value)}")  # noqa: TRY004
    if len(value) > _ENTRIES_LIMIT:
        raise ValueError(f"at most {_ENTRIES_LIMIT} entries are expected here")
    for key in value:
        if not _KEY.fullmatch(key):
            raise Misfit(f"{shown(key)} is no name for this: letters, digits and . _ / -, at most 253", key)
    return value


def _text(item: object, key: str) -> str:
    try:
        text = need_text(item, "a text")
        return bounded_text(_ANNOTATION_LIMIT, lines=True)(text) if text else text
    except ValueError as error:
        raise Misfit(str(error), key) from None


def parse_labels(value: object) -> dict[str, str]:
    """Read labels: short texts by which a person selects objects."""
    labels = {}
    for key, item in _entries(value).items():
        text = _text(item, key)
        if not _LABEL.fullmatch(text):
            raise Misfit(f"{shown(text)} is no value of a label: letters, digits and . _ -, at most 63", key)
        labels[key] = text
    return labels


def parse_annotations(value: object) -> dict[str, str]:
    """Read annotations; those of our own prefix must be known and have a value that they take."""
    annotations = {}
    for key, item in _entries(value).items():
        if key.startswith(PREFIX) and key not in ANNOTATIONS:
            raise Misfit(f"unknown annotation `{clean(key)}`: {suggestion(key, ANNOTATIONS)}", key)
        text = _text(item, key)
        only = ANNOTATIONS.get(key, ("", None))[1]
        if only is not None and text != only:
            raise Misfit(f'`{key}` takes "{only}" only', key)
        annotations[key] = text
    return annotations


_OWN: Final = {
    key: {"type": "string", "description": text, **({"const": only} if only else {})}
    for key, (text, only) in ANNOTATIONS.items()
}
Labels = Annotated[
    dict[str, str],
    PlainValidator(parse_labels),
    WithJsonSchema(
        {
            "type": "object",
            "title": "labels: names to texts",
            "additionalProperties": {"type": "string", "maxLength": 63},
        }
    ),
]
Annotations = Annotated[
    dict[str, str],
    PlainValidator(parse_annotations),
    WithJsonSchema({
        "type": "object",
        "title": "annotations: names to texts",
        "properties": _OWN,
        "patternProperties": {"^(?!certwright/)": {"type": "string", "maxLength": _ANNOTATION_LIMIT}},
        "additionalProperties": False,
    }),
]  # fmt: skip


class Metadata(Shape):
    """What names and marks an object."""

    name: Name = Field(description="The object's name, unique among its kind.")
    labels: Labels = Field({}, description="Marks of your own; commands select by them with -l.")
    annotations: Annotations = Field(
        {}, description="Requests to certwright (names that begin with certwright/) and notes of other tools."
    )
