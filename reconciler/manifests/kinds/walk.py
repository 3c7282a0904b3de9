"""From a shape to the shapes inside it, along a path of field names."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from reconciler.manifests.kinds.base import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifests.text.source import Path


def shape_at(shape: type[Shape], path: Path) -> type[Shape] | None:
    """Give the closed mapping at `path`; None if there is none."""
    here = shape
    for part in path:
        if isinstance(part, int):
            continue
        annotation = next(
            (info.annotation for name, info in here.model_fields.items() if part == (info.alias or name)), None
        )
        inner = next(shapes_in(annotation), None)
        if inner is None:
            return None
        here = inner
    return here


def shapes_in(annotation: Any) -> Iterator[type[Shape]]:  # noqa: ANN401  types are values here
    """Give every shape inside an annotation: of optional values, lists and annotated types."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from shapes_in(argument)
