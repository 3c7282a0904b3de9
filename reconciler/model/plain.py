"""Dataclasses to plain JSON values and back: one translator for everything that goes to disk.

Enums become their value, times RFC 3339 text in UTC, timedeltas seconds, tuples lists. A union of dataclasses is told
apart by its members' `type` field. Unknown keys are refused, absent ones take the field's default.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, Union, cast

T = TypeVar("T")

_SCALARS = frozenset({types.NoneType, bool, int, float, str})


def canonical(value: object) -> bytes:
    """Give the one JSON text of a value, for digests: sorted keys, no blanks."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def to_plain(value: object) -> Any:  # noqa: ANN401  JSON has no tighter type
    """Turn a value of the model into JSON values."""
    kind: Any = type(value)
    return value if kind in _SCALARS else _writer(kind)(value)


@functools.cache
def _writer(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401, PLR0911  one return a kind
    """Give what turns values of a type into JSON values: found out once a type, there are thousands of values."""
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, types.NoneType | bool | int | float | str):
        return lambda value: value
    if issubclass(kind, datetime):
        return lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if issubclass(kind, timedelta):
        return lambda value: value.total_seconds()
    if issubclass(kind, Mapping):
        return lambda value: {str(key): to_plain(item) for key, item in value.items()}
    if issubclass(kind, list | tuple | set | frozenset):
        return lambda value: [to_plain(item) for item in value]
    if dataclasses.is_dataclass(kind):
        names = tuple(_fields(cast("type", kind)))
        return lambda value: {
            name: item if type(item := getattr(value, name)) in _SCALARS else to_plain(item) for name in names
        }
    msg = f"no plain form for {kind.__name__}"
    raise TypeError(msg)


def from_plain(kind: type[T], data: object) -> T:
    """Make a value of `kind` from JSON values; ValueError with the field's path if they do not fit."""
    return cast("T", _make(kind, data, kind.__name__))


@functools.cache
def _fields(kind: type[Any]) -> Mapping[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(kind)}


@functools.cache
def _makers(kind: type[Any]) -> Mapping[str, Callable[[Any, str], Any]]:
    hints = typing.get_type_hints(kind)
    return {name: _maker(hints[name]) for name in _fields(cast("type", kind))}


def _make(hint: Any, data: Any, path: str) -> Any:  # noqa: ANN401  types are values here
    return _maker(hint)(data, path)


@functools.cache
def _maker(hint: Any) -> Callable[[Any, str], Any]:  # noqa: ANN401, PLR0911  one return a kind
    """Give what makes values of a type: to take annotations apart is dear, and done once."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return lambda data, _path: data
    if origin in (Union, types.UnionType):
        return functools.partial(_union, args)
    if origin is typing.Literal:
        return lambda data, path: _check(data in args, data, path)
    if origin is tuple:
        return functools.partial(_tuple, args)
    if origin is not None and issubclass(origin, Mapping):
        return functools.partial(_mapping, args)
    if dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, cast("type", hint))
    if hint is str:
        return lambda data, path: data if type(data) is str else _check(isinstance(data, str), data, path)
    return functools.partial(_scalar, hint)


def _mapping(args: tuple[Any, ...], data: Any, path: str) -> Any:  # noqa: ANN401
    _check(isinstance(data, dict), data, path)
    make = _maker(args[1])
    return {key: make(item, f"{path}.{key}") for key, item in data.items()}


def _check(fits: bool, data: Any, path: str) -> Any:  # noqa: ANN401, FBT001
    if not fits:
        msg = f"{path}: {type(data).__name__} does not fit"
        raise ValueError(msg)
    return data


def _scalar(hint: Any, data: Any, path: str) -> Any:  # noqa: ANN401
    try:
        if hint is datetime:
            return datetime.fromisoformat(_check(isinstance(data, str), data, path))
        if hint is timedelta:
            return timedelta(seconds=_check(isinstance(data, int | float), data, path))
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(data)
    except (ValueError, OverflowError) as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from None
    if hint is float and isinstance(data, int):
        return float(data)
    return _check(isinstance(data, hint) and (hint is bool or not isinstance(data, bool)), data, path)


def _tuple(args: tuple[Any, ...], data: Any, path: str) -> tuple[Any, ...]:  # noqa: ANN401
    _check(isinstance(data, list), data, path)
    make = _maker(args[0])
    return tuple([make(item, f"{path}[{number}]") for number, item in enumerate(data)])


def _dataclass(kind: type, data: Any, path: str) -> Any:  # noqa: ANN401
    _check(isinstance(data, dict), data, path)
    makers = _makers(kind)
    if not data.keys() <= makers.keys():
        msg = f"{path}: unknown field {min(data.keys() - makers.keys())}"
        raise ValueError(msg)
    try:
        return kind(**{name: makers[name](item, f"{path}.{name}") for name, item in data.items()})
    except TypeError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from None


def _union(args: tuple[Any, ...], data: Any, path: str) -> Any:  # noqa: ANN401
    if data is None and types.NoneType in args:
        return None
    members = [arg for arg in args if arg is not types.NoneType]
    tagged = [arg for arg in members if dataclasses.is_dataclass(arg)]
    if isinstance(data, dict) and tagged:
        return _make(_tagged(tagged, data, path), data, path)
    for member in members:
        try:
            return _make(member, data, path)
        except ValueError:
            continue
    return _check(False, data, path)  # noqa: FBT003


def _tagged(members: list[Any], data: dict[str, Any], path: str) -> Any:  # noqa: ANN401
    if len(members) == 1:
        return members[0]
    for member in members:
        if "type" in _fields(member) and data.get("type") == _fields(member)["type"].default:
            return member
    msg = f"{path}: no such type"
    raise ValueError(msg)
