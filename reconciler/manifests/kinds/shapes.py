"""The kinds as JSON Schema (draft 7, the one that editors know best), each whole in itself."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifests.kinds.metadata import Metadata
from reconciler.manifests.kinds.registry import API_VERSION, KINDS, SUMMARIES

Schema = dict[str, Any]

_NULL: Final = {"type": "null"}


def kind_schema(kind: str) -> Schema:
    """Give the schema of a whole document of this kind."""
    return {
        "type": "object",
        "description": SUMMARIES[kind],
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of the manifest language."},
            "kind": {"const": kind, "description": SUMMARIES[kind]},
            "metadata": {**_plain(Metadata.model_json_schema()), "description": "What names and marks the object."},
            "spec": spec_schema(kind),
        },
    }


def spec_schema(kind: str) -> Schema:
    """Give the schema of a kind's `spec`; of a kind with types, one branch for each."""
    types = KINDS[kind]
    if not isinstance(types, dict):
        return _plain(types.model_json_schema())
    branches = {name: _plain(shape.model_json_schema()) for name, shape in types.items()}
    meanings = "; ".join(
        str(branch["properties"]["type"]["description"]).removesuffix(".") for branch in branches.values()
    )
    return {
        "type": "object",
        "description": SUMMARIES[kind],
        "required": ["type"],
        "properties": {"type": {"enum": list(types), "description": f"{meanings}."}},
        "allOf": [
            {"if": {"required": ["type"], "properties": {"type": {"const": name}}}, "then": branch}
            for name, branch in branches.items()
        ],
    }


def _plain(schema: Schema) -> Schema:
    definitions = schema.pop("$defs", {})
    plain = _inlined(schema, definitions)
    return plain if isinstance(plain, dict) else {}


def _inlined(node: Any, definitions: dict[str, Schema]) -> Any:  # noqa: ANN401  JSON has no tighter type
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    generated = "properties" in node or _is_generated(node.get("title"))
    made = {
        key: {name: _inlined(item, definitions) for name, item in value.items()}
        if key == "properties"
        else _inlined(value, definitions)
        for key, value in node.items()
        if not (key == "title" and generated)
    }
    return _without_empty_default(_nullable(made))


def _is_generated(title: object) -> bool:
    """Tell pydantic's own titles, which repeat the field's name, from ours, which say what to write."""
    return isinstance(title, str) and title.title() == title and not any(char in title for char in ":(;,")


def _nullable(node: Schema) -> Schema:
    """Write `X or null` as one schema with two types where X is simple, so that editors show what X says."""
    options = node.get("anyOf")
    if not isinstance(options, list) or _NULL not in options:
        return node
    rest = [option for option in options if option != _NULL]
    if len(rest) != 1 or not isinstance(rest[0].get("type"), str) or {"oneOf", "anyOf"} & rest[0].keys():
        return node
    outer = {key: value for key, value in node.items() if key != "anyOf"}
    made = {**rest[0], **outer, "type": [rest[0]["type"], "null"]}
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


def _without_empty_default(node: Schema) -> Schema:
    return {key: value for key, value in node.items() if not (key == "default" and value in (None, {}))}
