"""What pydantic found, said in a sentence for a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reconciler.manifests.kinds.base import SENTENCE
from reconciler.manifests.kinds.fields import described
from reconciler.manifests.kinds.nearest import nearest, suggestion
from reconciler.manifests.text.rawtext import shown
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifests.text.source import Path

_TRUE: Final = frozenset({"yes", "on", "y", "true", "1"})
_FALSE: Final = frozenset({"no", "off", "n", "false", "0"})
_WANTED: Final = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list, such as [a, b],",
    "list_type": "a list, such as [a, b],",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
}


def sentence_for(error: Mapping[str, Any], known: Sequence[str]) -> str:
    """Give the message for one error; `known` are the fields that the mapping around it may have."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx") or {}
    field = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "extra_forbidden":
        return f"unknown field `{clean(field, 60)}`: {suggestion(field, known)}"
    if kind == "missing":
        return f"`{field}` is missing"
    if kind == SENTENCE:
        return str(context["message"])
    if kind == "value_error":
        return str(context["error"])
    if value is None:
        return "nothing stands here: write a value, or leave the field out"
    return _of_value(kind, value, context)


def _of_value(kind: str, value: object, context: Mapping[str, Any]) -> str:
    if kind == "literal_error":
        return _choice(value, str(context["expected"]))
    if kind in {"bool_type", "bool_parsing"}:
        return _switch(value)
    if kind in _WANTED:
        return _shape(_WANTED[kind], value)
    if kind in {"too_long", "string_too_long"}:
        return f"too long: at most {context['max_length']} are allowed"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{shown(value)} is out of range: {bound}"
    return f"{described(value)} does not fit here"


def _choice(value: object, expected: str) -> str:
    choices = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
    near = nearest(value, choices) if isinstance(value, str) else None
    hint = f"did you mean `{near}`? " if near and len(choices) > 1 else ""
    stands = shown(value) if isinstance(value, str | int | float) else described(value)
    names = choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)
    return f"{stands} is not {names}" if not hint else f"{stands} is unknown: {hint}Known are {', '.join(choices)}"


def _switch(value: object) -> str:
    word = str(value).lower()
    if word in _TRUE or word in _FALSE:
        return f"{shown(value)} is neither true nor false: write {'true' if word in _TRUE else 'false'}, without quotes"
    return f"true or false is expected here, not {described(value)}"


def _shape(wanted: str, value: object) -> str:
    if wanted.startswith("a list") and isinstance(value, str) and shown(value).startswith("`"):
        item = json.dumps(value, ensure_ascii=False) if "*" in value else value
        return f"a list is expected here: write [{clean(item, 80)}]"
    if wanted == "a whole number" and isinstance(value, str) and value.lstrip("0").isascii() and value.isdecimal():
        return f"a number is expected here: write {int(value[:18])}, without quotes"
    if wanted == "a text" and isinstance(value, int | float):
        return f"{shown(value)} is not text: put it in quotes"
    return f"{wanted} is expected here, not {described(value)}".replace(",,", ",")


def path_of(error: Mapping[str, Any]) -> Path:
    """Give where the error is, the field that a check of a whole mapping blames included."""
    context = error.get("ctx") or {}
    at = context.get("at") or None if error["type"] == SENTENCE else getattr(context.get("error"), "at", None)
    loc: Path = tuple(error["loc"])
    return loc if at is None else (*loc, at)
