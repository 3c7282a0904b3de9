"""Each field of what is resolved is read by a room: what none ever reads would be parsed and ignored."""

from __future__ import annotations

import ast
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args, get_type_hints

from reconciler.model.desired import DesiredSite

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOMS: Final = Path(__file__).resolve().parents[2] / "reconciler"


def _read_anywhere() -> set[str]:
    """Every attribute that is read outside the rooms that make and keep what is resolved."""
    modules = (path for path in ROOMS.rglob("*.py") if not {"manifests", "model"} & set(path.parts))
    trees = [
        ast.parse(path.read_text())
        for path in (*modules, ROOMS / "model" / "ports.py", ROOMS / "model" / "addresses.py")
    ]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _parts(annotation: object) -> Iterator[type]:
    if dataclasses.is_dataclass(annotation):
        yield annotation  # type: ignore[misc]  # a class, not a value of one
    for part in get_args(annotation):
        yield from _parts(part)


def _resolved(start: type) -> dict[type, tuple[str, ...]]:
    """The dataclasses that a resolved site is made of, with their fields."""
    found: dict[type, tuple[str, ...]] = {}
    waiting = [start]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = tuple(field.name for field in dataclasses.fields(one))
            hints = get_type_hints(one, vars(sys.modules[one.__module__]))
            waiting += [part for hint in hints.values() for part in _parts(hint)]
    return found


def test_each_field_of_what_is_resolved_is_read_by_a_room() -> None:
    """What no room ever reads would be parsed and ignored."""
    read = _read_anywhere()
    fields = {(one.__name__, name) for one, names in _resolved(DesiredSite).items() for name in names}
    assert len(fields) > 120
    assert {(one, name) for one, name in fields if name not in read} == set()
