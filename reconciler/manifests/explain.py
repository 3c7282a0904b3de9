"""The documentation of a field, as `certwright explain` prints it: from the shapes, so that it is never out of date."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import UsageError
from reconciler.manifests.kinds.nearest import nearest, suggestion
from reconciler.manifests.kinds.registry import KINDS, SUMMARIES
from reconciler.manifests.kinds.shapes import kind_schema
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_WIDTH: Final = 100
_NAMES: Final = {
    "string": "text",
    "integer": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
}


def explain(field: str) -> str:
    """Give meaning, type and default of a field such as `site.spec.renewal.lookahead`, and the fields below it.

    `spec` may be left out, the kind may be in any case and in the plural; of a kind alone, the fields of its spec are
    given too. UsageError names the nearest known field.
    """
    word, *parts = clean(field, 200).strip(".").split(".")
    kind = _kind(word)
    found: list[tuple[str, Schema]] = [("", kind_schema(kind))]
    if parts and parts[0] not in {*found[0][1]["properties"]}:
        parts.insert(0, "spec")
    for number, part in enumerate(parts):
        found = _below(found, part, ".".join([kind.lower(), *parts[:number]]))
    if not parts:  # who asks for a kind means what is written into its spec
        spec = _below(found, "spec", kind.lower())
        shown = [_text(kind.lower(), *found[0]), *(_text(f"{kind.lower()}.spec", *one) for one in spec)]
        return "\n\n".join(shown) + "\n"
    path = ".".join([kind.lower(), *parts])
    return "\n\n".join(_text(path, type_, schema) for type_, schema in _merged(found)) + "\n"


def kinds() -> str:
    """Give the kinds, a line each, and what to ask next."""
    width = max(map(len, SUMMARIES))
    lines = [f"{kind.lower():<{width}}  {SUMMARIES[kind]}" for kind in KINDS]
    return (
        "\n".join([*lines, "", "next: certwright explain KIND; or of a field: certwright explain site.hostnames"])
        + "\n"
    )


def _kind(word: str) -> str:
    known = {kind.lower(): kind for kind in KINDS}
    kind = known.get(word.lower()) or known.get(word.lower().removesuffix("s"))
    if kind is None:
        raise UsageError(f"no kind `{word}`: {suggestion(word.lower(), known)}")
    return kind


def _below(found: list[tuple[str, Schema]], part: str, path: str) -> list[tuple[str, Schema]]:
    options = [(type_ or inner, fields) for type_, schema in found for inner, fields in _mappings(schema)]
    made = [(type_, fields[part]) for type_, fields in options if part in fields]
    if made:
        return made
    known = {name for _, fields in options for name in fields}
    if not known:
        raise UsageError(f"`{path}` has no fields below it")
    near = nearest(part, known)
    hint = f"did you mean `{path}.{near}`?" if near else suggestion(part, known)
    raise UsageError(f"`{path}` has no field `{part}`: {hint}")


def _mappings(schema: Schema) -> Iterator[tuple[str, dict[str, Schema]]]:
    """Give the fields of a mapping, of each branch by `type`, of each item of a list."""
    if "allOf" in schema:
        for branch in schema["allOf"]:
            type_, then = branch["if"]["properties"]["type"]["const"], branch["then"]
            names = then.get("propertyNames", {}).get("enum", ())
            named = {name: schema["properties"][name] for name in names if name != "type"}
            yield type_, then.get("properties") or {"type": {**schema["properties"]["type"], "enum": [type_]}, **named}
    elif "properties" in schema:
        yield "", schema["properties"]
    for option in schema.get("anyOf", []):
        yield from _mappings(option)
    if "items" in schema:
        yield from _mappings(schema["items"])


def _merged(found: list[tuple[str, Schema]]) -> list[tuple[str, Schema]]:
    """Say once what is the same for several types."""
    merged: list[tuple[list[str], Schema]] = []
    for type_, schema in found:
        same = next((types for types, other in merged if other == schema), None)
        if same is None:
            merged.append(([type_], schema))
        else:
            same.append(type_)
    return [(", ".join(dict.fromkeys(types)), schema) for types, schema in merged]


def _text(path: str, type_: str, schema: Schema) -> str:
    what = _type(schema) + (f", default {_shown(schema['default'])}" if "default" in schema else "")
    lines = [path + (f"  (type: {type_})" if type_ else ""), *_wrapped(what)]
    lines += _wrapped(schema.get("description", ""))
    for title, fields in _grouped(list(_mappings(schema))):
        lines += ["", title, *(line for name, field in fields.items() for line in _field(name, field))]
    return "\n".join(lines)


def _grouped(mappings: list[tuple[str, dict[str, Schema]]]) -> Iterator[tuple[str, dict[str, Schema]]]:
    """Give the fields with a heading; what all of several types have, once."""
    if len(mappings) == 1 or not all(inner for inner, _ in mappings):
        yield from ((f"FIELDS (type: {inner})" if inner else "FIELDS", fields) for inner, fields in mappings)
        return
    first = mappings[0][1] if mappings else {}
    common = {name: one for name, one in first.items() if all(fields.get(name) == one for _, fields in mappings)}
    if common:
        yield "FIELDS (all types)", common
    for inner, fields in mappings:
        yield f"FIELDS (type: {inner})", {name: one for name, one in fields.items() if name not in common}


def _field(name: str, field: Schema) -> Iterator[str]:
    """Give a field of a list: its type, and the first sentence about it."""
    yield f"  {name:<20} {textwrap.shorten(_type(field), _WIDTH, placeholder=' ...')}"
    text = str(field.get("description", ""))
    if text and (name != "type" or text.startswith(_type(field))):  # what several types share tells of the first
        yield f"      {textwrap.shorten(text.partition('. ')[0].rstrip('.'), _WIDTH, placeholder=' ...')}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(schema: Schema) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(_shown(value) for value in schema["enum"] if value is not None)
    types = schema.get("type", [])
    names = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
    if names == ["array"] and "title" not in schema:
        return f"list of {_type(schema.get('items', {}))}"
    if names:
        return str(schema.get("title", _NAMES.get(names[0], names[0])))
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(_type(option) for option in options))
