"""Paths, commands and template values: the fields that reach the file system, a process or a server's configuration."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from reconciler.manifests.kinds.fields import Misfit, bounded_text, described, need_text, text_schema
from reconciler.manifests.text.rawtext import shown

_PART: Final = re.compile(r"[A-Za-z0-9._@+-]{1,255}", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"\{(site|hostname|server|values\.[A-Za-z][A-Za-z0-9_]{0,62})\}", re.ASCII)
_VALUE_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}", re.ASCII)
_PROGRAM: Final = re.compile(r"[A-Za-z0-9._+-]{1,255}|(?:/[A-Za-z0-9._@+-]{1,255})+", re.ASCII)
_SAFE: Final = "a server's configuration takes letters, digits, . _ @ + - and single `/`"
_PATH_LIMIT: Final = 4000
_WORDS_LIMIT: Final = 64
_WORD_LIMIT: Final = 4000
VALUE_LIMIT: Final = 4000
_ITEMS_LIMIT: Final = 100
_GREATEST: Final = 10**15

Value = str | int | bool | tuple[str | int | bool, ...]


def check_path(text: str) -> str:
    """Check a path without placeholders: absolute, or relative and below where it starts; give it without a final `/`.

    A part is `[A-Za-z0-9._@+-]{1,255}` and neither `.` nor `..`, so that it is safe in every server's configuration.
    """
    if len(text) > _PATH_LIMIT:
        raise ValueError(f"a path has at most {_PATH_LIMIT} characters")
    trimmed = text.removeprefix("./") if not text.startswith("/") else text[1:]
    for part in trimmed.removesuffix("/").split("/"):
        if part == "..":
            raise ValueError(f"{shown(text)} goes upwards (`..`): write the absolute path")
        if part == "." or not _PART.fullmatch(part):
            raise ValueError(f"{shown(text)} is not a safe path: {_SAFE}")
    return text.removesuffix("/")


def parse_path(value: object) -> str:
    """Read a path without placeholders; a relative one is relative to the file that names it."""
    return check_path(need_text(value, "a path"))


def _parse_template_path(value: object, known: frozenset[str] | None) -> str:
    text = need_text(value, "a path")
    for name in _PLACEHOLDER.findall(text):
        if known is not None and name not in known:
            raise ValueError(f"`{{{name}}}` has no meaning here; known is `{{hostname}}`")
    rest = _PLACEHOLDER.sub("x", text)
    if "{" in rest or "}" in rest:
        names = "{site}, {hostname}, {server}, {values.KEY}" if known is None else "{hostname}"
        raise ValueError(f"{shown(text)} holds braces that mean nothing; known are {names}")
    check_path(rest)
    return text.removesuffix("/")


def parse_target_path(value: object) -> str:
    """Read a path that may hold `{site}`, `{hostname}`, `{server}` and `{values.KEY}`."""
    return _parse_template_path(value, None)


def parse_webroot(value: object) -> str:
    """Read a path that may hold `{hostname}`."""
    return _parse_template_path(value, frozenset({"hostname"}))


def parse_argv(value: object) -> tuple[str, ...]:
    """Read a command: a list of words, no shell; the first is a program's absolute path or bare name."""
    if isinstance(value, str):
        raise ValueError(f"a command is a list of words: write {_as_list(value)}")  # noqa: TRY004
    if not isinstance(value, list | tuple) or not value:
        stands = "an empty list" if value == [] else described(value)
        raise ValueError(f"a command is a list of words, such as [nginx, -t], not {stands}")
    if len(value) > _WORDS_LIMIT:
        raise ValueError(f"a command has at most {_WORDS_LIMIT} words")
    words = tuple(_word(word, number) for number, word in enumerate(value))
    if not _PROGRAM.fullmatch(words[0]) or set(words[0].split("/")) & {".", ".."}:
        raise ValueError(f"{shown(words[0])} is neither a program's name nor its absolute path")
    return words


def _word(word: object, number: int) -> str:
    try:
        return bounded_text(_WORD_LIMIT)(word)
    except ValueError as error:
        raise Misfit(str(error), number) from None


def _as_list(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return "[" + ", ".join(words) + "]" if words and shown(command).startswith("`") else "[PROGRAM, ARGUMENT]"


def parse_values(value: object) -> dict[str, Value]:
    """Read values for templates and paths: texts, whole numbers, true or false, and lists of these."""
    if not isinstance(value, dict):
        raise ValueError(f"a mapping of names to values is expected here, not {described(value)}")  # noqa: TRY004
    return {_value_key(key): _value(item, key) for key, item in value.items()}


def _value_key(key: object) -> str:
    if not isinstance(key, str) or not _VALUE_KEY.fullmatch(key):
        raise Misfit(f"{shown(key)} is not a value's name: a letter, then letters, digits and `_`", str(key))
    return key


def _value(item: object, key: str) -> Value:
    if isinstance(item, list | tuple):
        if len(item) > _ITEMS_LIMIT:
            raise Misfit(f"`{key}` has more than {_ITEMS_LIMIT} items", key)
        return tuple(_simple(one, key) for one in item)
    return _simple(item, key)


def _simple(item: object, key: str) -> str | int | bool:
    if isinstance(item, bool):
        return item
    if isinstance(item, int):
        if abs(item) > _GREATEST:
            raise Misfit(f"`{key}` is a number too great; put it in quotes", key)
        return item
    if isinstance(item, float):
        raise Misfit(f"`{key}` is a number with a fraction; put it in quotes", key)
    if not isinstance(item, str):
        raise Misfit(
            f"`{key}` is {described(item)}; a text, a whole number, true or false, or a list of these is expected", key
        )
    try:
        return bounded_text(VALUE_LIMIT, lines=True)(item) if item else ""
    except ValueError as error:
        raise Misfit(f"`{key}`: {error}", key) from None


def _plain_values(values: dict[str, Value]) -> dict[str, object]:
    return {key: list(item) if isinstance(item, tuple) else item for key, item in values.items()}


_SIMPLE: Final = {"type": ["string", "integer", "boolean"]}

LocalPath = Annotated[str, PlainValidator(parse_path), text_schema("path", minLength=1)]
TargetPath = Annotated[
    str,
    PlainValidator(parse_target_path),
    text_schema("path; may hold {site}, {hostname}, {server}, {values.KEY}", minLength=1),
]
WebrootPath = Annotated[str, PlainValidator(parse_webroot), text_schema("path; may hold {hostname}", minLength=1)]
Argv = Annotated[
    tuple[str, ...],
    PlainValidator(parse_argv),
    PlainSerializer(list),
    WithJsonSchema(
        {
            "type": "array",
            "title": "command: a list of words, no shell",
            "minItems": 1,
            "maxItems": 64,
            "items": {"type": "string"},
        }
    ),
]
Values = Annotated[
    dict[str, Value],
    PlainValidator(parse_values),
    PlainSerializer(_plain_values),
    WithJsonSchema(
        {
            "type": "object",
            "title": "values: texts, whole numbers, true or false, or lists of these",
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$"},
            "additionalProperties": {"anyOf": [_SIMPLE, {"type": "array", "items": _SIMPLE}]},
        }
    ),
]
