"""Resources to JSON text and back, for a cache of manifests on disk."""

from __future__ import annotations

import json
from typing import cast

from pydantic import ValidationError

from reconciler.manifests.kinds.metadata import Metadata
from reconciler.manifests.kinds.registry import Spec, shape_of
from reconciler.manifests.kinds.validate import Resource
from reconciler.manifests.text.source import Source


def to_json(resource: Resource) -> str:
    """Write a resource as one JSON text; it holds no secret, since a manifest holds none."""
    source = resource.source
    return json.dumps(
        {
            "kind": resource.kind,
            "metadata": resource.metadata.dumped(),
            "spec": resource.spec.dumped(),
            "source": [source.file, source.line, source.text],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def from_json(text: str) -> Resource:
    """Read it back; ValueError if it is not what `to_json` of this version wrote."""
    try:
        data = json.loads(text)
        file, line, content = data["source"]
        shape = shape_of(data["kind"], data["spec"].get("type"))
        if shape is None or not (isinstance(file, str) and isinstance(line, int) and isinstance(content, str)):
            raise ValueError("unknown kind or type")  # noqa: TRY301
        spec = cast("Spec", shape.model_validate(data["spec"]))
        return Resource(data["kind"], Metadata.model_validate(data["metadata"]), spec, Source(file, line, content))
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError, RecursionError):
        raise ValueError("this is no resource that this version wrote") from None
