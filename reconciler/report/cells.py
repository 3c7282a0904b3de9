"""Reading plain JSON items that may come from disk: nothing is assumed of their shape. Imports nothing of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LIMIT: Final = 500
NONE: Final = "-"


def shown(value: object, limit: int = _LIMIT) -> str:
    """Give text that is safe for a terminal, whatever is in it; `-` for nothing."""
    if value is None or value == "":
        return NONE
    text = str(value)[: limit + 1]
    safe = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def at(item: object, *path: str) -> Any:  # noqa: ANN401  JSON has no tighter type
    """Follow a path of keys; None where it breaks off."""
    for key in path:
        if not isinstance(item, dict):
            return None
        item = item.get(key)
    return item


def listed(value: object) -> list[Any]:
    """Give a list; empty for anything else."""
    return value if isinstance(value, list) else []


def condition(item: object, kind: str) -> Mapping[str, Any]:
    """Give one of an item's conditions; empty if it has none of that type."""
    conditions = listed(at(item, "status", "conditions"))
    return next((one for one in conditions if isinstance(one, dict) and one.get("type") == kind), {})


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give columns padded to their widest cell, three blanks between, no blanks at the end of a line."""
    lines = [tuple(header), *(tuple(row) for row in rows)] if header else [tuple(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    pairs = (zip(line, widths, strict=True) for line in lines)
    padded = ("   ".join(cell.ljust(width) for cell, width in pair).rstrip() for pair in pairs)
    return "\n".join(padded) + "\n"
