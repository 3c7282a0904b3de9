"""What a manifest points at: a place in a file, where a secret is found, values for templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | bool | tuple[str | int | bool, ...]
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands; `line` and `column` from 1."""

    file: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is found, never the secret. Exactly one of the three is set."""

    file: str | None = None
    env: str | None = None
    exec: tuple[str, ...] | None = None
