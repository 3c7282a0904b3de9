from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.manifests.explain import explain
from reconciler.manifests.kinds.registry import KINDS
from reconciler.schema import all_schemas, schema_text, schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITTED = Path(__file__).resolve().parent.parent / "schemas" / "v1"


def nodes(schema: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            yield from nodes(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from nodes(value, f"{path}[{number}]")


def test_committed_schemas_are_those_of_the_code() -> None:
    """If this fails: `python -m tools.make_schemas`."""
    made = {name: schema_text(schema) for name, schema in all_schemas().items()}
    assert {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")} == made


def test_there_is_one_for_all_kinds_and_one_for_each() -> None:
    assert set(schemas()) == {"manifest.json", *(f"{kind.lower()}.json" for kind in KINDS)}


@pytest.mark.parametrize("name", schemas())
def test_mappings_are_closed_and_fields_described(name: str) -> None:
    for path, node in nodes(schemas()[name]):
        if path.endswith(".properties") or "properties" not in node or ".if" in path:
            continue
        if "allOf" not in node:
            assert node.get("additionalProperties") is False, path
        for field, schema in node["properties"].items():
            assert schema.get("description"), f"{path}: {field}"


@pytest.mark.parametrize("name", schemas())
def test_references_stand_alone(name: str) -> None:
    """Draft 7 ignores whatever stands beside a reference."""
    for path, node in nodes(schemas()[name]):
        assert "$ref" not in node or set(node) == {"$ref"}, path
        assert "$defs" not in node, path


def test_every_type_has_a_branch() -> None:
    for kind, types in KINDS.items():
        if isinstance(types, dict):
            spec = schemas()[f"{kind.lower()}.json"]["properties"]["spec"]
            assert spec["properties"]["type"]["enum"] == list(types)
            assert [branch["if"]["properties"]["type"]["const"] for branch in spec["allOf"]] == list(types)


def test_defaults_are_shown_as_they_are_written() -> None:
    renewal = schemas()["site.json"]["properties"]["spec"]["properties"]["renewal"]["properties"]
    assert (renewal["lookahead"]["default"], renewal["lookbehind"]["default"]) == ("33%", "30d")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_explained(kind: str) -> None:
    assert explain(kind).startswith(f"{kind.lower()}\n")
    assert "FIELDS" in explain(f"{kind}.spec")
