"""Dataclasses to plain JSON values and back: one translator for everything that goes to disk.

Enums become their value, times RFC 3339 text in UTC, timedeltas seconds, tuples lists. A union of dataclasses is told
apart by its members' `type` field. Unknown keys are refused, absent ones take the field's default.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, Union, cast

T = TypeVar("T")

_MOST_KEPT = 500
_made: dict[tuple[Any, str], Any] = {}
_SCALARS = frozenset({types.NoneType, bool, int, float, str})


def canonical(value: object) -> bytes:
    """Give the one JSON text of a value, for digests: sorted keys, no blanks."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: object) -> str:
    """Give the sha256 of a value's JSON text, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


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
    try:
        return cast("T", _maker(cast("Any", kind))(data))
    except _Misfit as misfit:
        msg = f"{kind.__name__}{misfit.path}: {misfit}"
        raise ValueError(msg) from None


class _Misfit(ValueError):
    """Data that does not fit. Its path grows on the way out: to write one for each field that fits would be dear."""

    path = ""

    def below(self, part: str) -> _Misfit:
        self.path = part + self.path
        return self


@functools.cache
def _fields(kind: type[Any]) -> Mapping[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(kind)}


@functools.cache
def _as_it_is(hint: Any) -> frozenset[type]:  # noqa: ANN401  types are values here
    """Give the types whose values need no making: texts, numbers, nothing."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        found = frozenset[type]().union(*map(_as_it_is, typing.get_args(hint)))
        return found - {int} if float in found else found
    return frozenset({hint}) & _SCALARS if isinstance(hint, type) else frozenset()


@functools.cache
def _maker(hint: Any) -> Callable[[Any], Any]:  # noqa: ANN401, PLR0911  one return a kind
    """Give what makes values of a type: to take annotations apart is dear, and done once."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return lambda data: data
    if origin in (Union, types.UnionType):
        return functools.partial(_union, args)
    if origin is typing.Literal:
        return lambda data: _check(data in args, data)
    if origin is tuple:
        return functools.partial(_tuple, _as_it_is(args[0]), _maker(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return functools.partial(_mapping, _as_it_is(args[1]), _maker(args[1]))
    if dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, hint)
    return functools.partial(_scalar, hint)


@functools.cache
def _parts(kind: Any) -> Mapping[str, tuple[frozenset[type], Callable[[Any], Any]]]:  # noqa: ANN401
    hints = typing.get_type_hints(kind)
    return {name: (_as_it_is(hints[name]), _maker(hints[name])) for name in _fields(cast("type", kind))}


def _dataclass(kind: Any, data: Any) -> Any:  # noqa: ANN401
    _check(isinstance(data, dict), data)
    parts, made, name = _parts(kind), {}, ""
    unknown = data.keys() - parts.keys()
    if unknown:
        raise _Misfit(f"unknown field {min(unknown)}")
    try:
        for name, item in data.items():
            as_it_is, make = parts[name]
            made[name] = item if type(item) in as_it_is else make(item)
    except _Misfit as misfit:
        raise misfit.below(f".{name}") from None
    try:
        return kind(**made)
    except TypeError as error:
        raise _Misfit(str(error)) from None


def _tuple(as_it_is: frozenset[type], make: Callable[[Any], Any], data: Any) -> tuple[Any, ...]:  # noqa: ANN401
    _check(isinstance(data, list), data)
    made: list[Any] = []
    try:
        for item in data:
            made.append(item if type(item) in as_it_is else make(item))  # noqa: PERF401  its length is the path
    except _Misfit as misfit:
        raise misfit.below(f"[{len(made)}]") from None
    return tuple(made)


def _mapping(as_it_is: frozenset[type], make: Callable[[Any], Any], data: Any) -> dict[str, Any]:  # noqa: ANN401
    _check(isinstance(data, dict), data)
    made, key = {}, ""
    try:
        for key, item in data.items():
            made[key] = item if type(item) in as_it_is else make(item)
    except _Misfit as misfit:
        raise misfit.below(f".{key}") from None
    return made


def _check(fits: bool, data: Any) -> Any:  # noqa: ANN401, FBT001
    if not fits:
        raise _Misfit(f"{type(data).__name__} does not fit")
    return data


def _scalar(hint: Any, data: Any) -> Any:  # noqa: ANN401
    try:
        if hint is datetime:
            return _instant(datetime.fromisoformat(_check(isinstance(data, str), data)))
        if hint is timedelta:
            return timedelta(seconds=_check(isinstance(data, int | float), data))
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(data)
    except _Misfit:
        raise
    except (ValueError, OverflowError) as error:
        raise _Misfit(str(error)) from None
    if hint is float and isinstance(data, int):
        return float(data)
    return _check(isinstance(data, hint) and (hint is bool or not isinstance(data, bool)), data)


def _instant(made: datetime) -> datetime:
    """Give it in UTC; what names no zone means a different instant on each machine, and compares with no other."""
    if made.tzinfo is None:
        raise _Misfit("a time without its zone")
    return made if made.tzinfo is UTC else made.astimezone(UTC)


def _union(args: tuple[Any, ...], data: Any) -> Any:  # noqa: ANN401
    if data is None and types.NoneType in args:
        return None
    members = [arg for arg in args if arg is not types.NoneType]
    if isinstance(data, dict) and (tagged := [arg for arg in members if dataclasses.is_dataclass(arg)]):
        kind = _tagged(tagged, data)
        return _shared(kind, data) if len(tagged) > 1 else _maker(kind)(data)
    for member in members:
        try:
            return _maker(member)(data)
        except ValueError:
            continue
    return _check(False, data)  # noqa: FBT003


def _shared(kind: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
    """Make a value, or give the one that was made of the same: ten thousand sites have a few issuers and targets."""
    key = kind, repr(data)
    made = _made.get(key)
    if made is None:
        made = _maker(kind)(data)
        if len(_made) >= _MOST_KEPT:
            _made.clear()
        _made[key] = made
    return made


def _tagged(members: list[Any], data: dict[str, Any]) -> Any:  # noqa: ANN401
    if len(members) == 1:
        return members[0]
    for member in members:
        if "type" in _fields(member) and data.get("type") == _fields(member)["type"].default:
            return member
    raise _Misfit("no such type")
