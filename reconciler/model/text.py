"""Text that must not be trusted, and text that must not be shown."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT: Final = 500
_SHORT: Final = "\n\r\t"
_UNSAFE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = LIMIT) -> str:
    r"""Make text from outside safe for a terminal, a log and a page: at most `limit` characters, no control codes.

    Characters of the Unicode categories Cc Cf Co Cs Cn Zl Zp become `\xNN` (or `\uNNNN`, `\UNNNNNNNN`), and every
    kind of space (Zs) the usual one.
    """
    cut = text[: limit + 1]
    if cut.isprintable():
        # nearly always: no character of those categories, a hundred times faster
        return cut if len(cut) <= limit else cut[: limit - 1] + "…"
    safe = "".join(map(_made_safe, cut))
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def some(names: Sequence[str], shown: int = 5) -> str:
    """List a few names and count the rest."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest > 0 else "")


def _made_safe(char: str) -> str:
    kind = unicodedata.category(char)
    return _escaped(char) if kind in _UNSAFE else " " if kind == "Zs" else char


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode() if char not in _SHORT else f"\\x{ord(char):02x}"


class Foreign:
    """Text from a CA, a name server or a peer: it has no `str`, so that nobody prints it by accident."""

    __slots__ = ("_raw",)

    def __init__(self, raw: str | bytes) -> None:
        """Take text, or bytes that are read as UTF-8 with replacement."""
        self._raw = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw

    def shown(self, limit: int = LIMIT) -> str:
        """Give the cleaned text."""
        return clean(self._raw, limit)

    def __str__(self) -> NoReturn:
        """Refuse: `shown()` is the only way out."""
        msg = "Foreign text is shown by .shown() only"
        raise TypeError(msg)

    def __repr__(self) -> str:
        """Tell the length only."""
        return f"<Foreign, {len(self._raw)} characters>"


class Secret:
    """Key material or a credential: shown as `***`, cannot be pickled, leaves by `reveal()` only."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Take the bytes as they are."""
        self._value = value

    def reveal(self) -> bytes:
        """Give the bytes; call it where they are used and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        """Show nothing."""
        return "***"

    def __format__(self, spec: str) -> str:
        """Show nothing, whatever the format."""
        return "***"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied deeply."""
        msg = "a Secret cannot be pickled"
        raise TypeError(msg)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, Secret) and self._value == other.reveal()

    def __hash__(self) -> int:
        """Refuse nothing: equal secrets are equal keys."""
        return hash(self._value)
