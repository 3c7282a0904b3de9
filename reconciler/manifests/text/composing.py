"""The parser's events become data: what each means, and what is refused with a sentence.

Knows the events by their attributes only; `documents` is the door to the parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.manifests.text.scalars import meaning
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.manifests.text.source import Path

Data = str | int | float | bool | list["Data"] | dict[str, "Data"] | None

DEPTH_LIMIT: Final = 32
NODE_LIMIT: Final = 100_000
"""The most values of a document, those behind an alias counted each time that it is used."""
ALIAS_LIMIT: Final = 100
PROBLEM_LIMIT: Final = 50

_UNQUOTED_MODE: Final = re.compile(r"0[0-7]{3}", re.ASCII)
_ABSENT: Final = object()


class Refused(Exception):
    """A place, from 1, inside the document and what is wrong there; raised only when reading cannot go on."""

    def __init__(self, line: int, column: int, message: str) -> None:
        """Keep all three."""
        self.line, self.column, self.message = line, column, message
        super().__init__(message)


class _Frame:
    """A list or mapping that is still open. `depth` is how deep the deepest value in it is nested so far."""

    __slots__ = ("anchor", "data", "depth", "key", "lines", "nodes", "path")

    def __init__(self, data: list[Data] | dict[str, Data], path: Path, anchor: str | None, nodes: int) -> None:
        self.data, self.path, self.anchor, self.nodes = data, path, anchor, nodes
        self.depth = 1
        self.key: Any = _ABSENT
        self.lines: dict[str, int] = {}


class Composer:
    """One document in the making. `root` is its data, `problems` what was refused on the way."""

    def __init__(self, *, places: bool = False, first_line: int = 1) -> None:
        """Record the place of each value and key only if `places`; messages count lines from `first_line`."""
        self._first_line = first_line
        self.root: Data = None
        self.problems: list[Refused] = []
        self.values: dict[Path, tuple[int, int]] = {}
        self.keys: dict[Path, tuple[int, int]] = {}
        self._places = places
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Data, int, int]] = {}  # with the number of its values, and its depth
        self._nodes = self._aliases = 0
        self._take: dict[str, Callable[[Any], None]] = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._open,
            "SequenceStartEvent": self._open,
            "MappingEndEvent": self._close,
            "SequenceEndEvent": self._close,
            "AliasEvent": self._alias,
        }

    def take(self, event: Any) -> None:  # noqa: ANN401  the door's own types stay behind it
        """Take the next event; Refused if nothing after it can be trusted."""
        handler = self._take.get(type(event).__name__)
        if handler is not None:
            handler(event)

    def _refuse(self, event: Any, message: str, *, fatal: bool = False) -> None:  # noqa: ANN401
        mark = event.start_mark
        refused = Refused(mark.line + 1, mark.column + 1, message)
        if fatal:
            raise refused
        if len(self.problems) < PROBLEM_LIMIT:
            self.problems.append(refused)

    def _count(self, event: Any, nodes: int = 1) -> None:  # noqa: ANN401
        self._nodes += nodes
        if self._nodes > NODE_LIMIT:
            self._refuse(event, f"the document holds more than {NODE_LIMIT} values: split it", fatal=True)

    def _scalar(self, event: Any) -> None:  # noqa: ANN401
        self._count(event)
        self._check_tag(event)
        plain = not event.style
        if self._awaits_key():
            self._key(event, plain=plain)
            return
        value: Data = event.value
        if plain:
            value = self._meaning(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, 0)
        self._put(event, value)

    def _meaning(self, event: Any) -> Data:  # noqa: ANN401
        if self._frames and self._frames[-1].key == "mode" and _UNQUOTED_MODE.fullmatch(event.value):
            self._refuse(event, f'a mode without quotes is read as a number: write "{event.value}"')
        try:
            return meaning(event.value)
        except ValueError as error:
            self._refuse(event, str(error))
            return None

    def _awaits_key(self) -> bool:
        return bool(self._frames) and isinstance(self._frames[-1].data, dict) and self._frames[-1].key is _ABSENT

    def _key(self, event: Any, *, plain: bool) -> None:  # noqa: ANN401
        frame, key = self._frames[-1], event.value
        frame.key = key
        line = event.start_mark.line + 1
        if plain and key == "<<":
            self._refuse(event, "merge keys (`<<`) are not read: write the fields out, or use `Server.spec.defaults`")
        elif plain and self._is_no_text(key):
            self._refuse(event, f'a key must be text: write "{clean(key, 60)}" with the quotes')
        elif key in frame.lines:
            name, first = clean(key, 60), frame.lines[key] + self._first_line - 1
            self._refuse(event, f"the key `{name}` stands here a second time; the first is in line {first}")
        frame.lines.setdefault(key, line)
        if self._places:
            self.keys.setdefault((*frame.path, key), (line, event.start_mark.column + 1))

    @staticmethod
    def _is_no_text(key: str) -> bool:
        try:
            return not isinstance(meaning(key), str)
        except ValueError:
            return True

    def _put(self, event: Any, value: Data) -> Path:  # noqa: ANN401
        """Hang a value where it belongs and give its path."""
        path: Path = ()
        if not self._frames:
            self.root = value
        else:
            frame = self._frames[-1]
            if isinstance(frame.data, list):
                path = (*frame.path, len(frame.data)) if self._places else ()
                frame.data.append(value)
            else:
                path = (*frame.path, frame.key) if self._places else ()
                frame.data.setdefault(frame.key, value)
                frame.key = _ABSENT
        if self._places:
            self.values.setdefault(path, (event.start_mark.line + 1, event.start_mark.column + 1))
        return path

    def _open(self, event: Any) -> None:  # noqa: ANN401
        self._count(event)
        self._check_tag(event)
        if self._awaits_key():
            self._refuse(
                event, "a key must be text, not a list or mapping; a `{` or `[` that is text needs quotes", fatal=True
            )
        self._bound(event, 1)
        data: list[Data] | dict[str, Data] = [] if type(event).__name__ == "SequenceStartEvent" else {}
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        path = self._put(event, data)
        self._frames.append(_Frame(data, path, event.anchor, self._nodes))

    def _close(self, _event: Any) -> None:  # noqa: ANN401
        frame = self._frames.pop()
        self._hold(frame.depth)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.data, self._nodes - frame.nodes + 1, frame.depth)

    def _hold(self, depth: int) -> None:
        """Note in what is open that it holds a value of this depth."""
        if self._frames:
            self._frames[-1].depth = max(self._frames[-1].depth, depth + 1)

    def _alias(self, event: Any) -> None:  # noqa: ANN401
        if self._awaits_key():
            self._refuse(
                event, "an alias (`*name`) cannot be a key; a text that starts with `*` needs quotes", fatal=True
            )
        self._aliases += 1
        if self._aliases > ALIAS_LIMIT:
            self._refuse(event, f"more than {ALIAS_LIMIT} aliases in one document", fatal=True)
        known = self._anchors.get(event.anchor)
        if known is None:
            self._refuse(event, "this alias refers to no anchor above it; a text that starts with `*` needs quotes")
            known = (None, 1, 0)
        value, nodes, depth = known
        self._count(event, nodes)
        self._bound(event, depth)
        self._hold(depth)
        self._put(event, value)

    def _bound(self, event: Any, depth: int) -> None:  # noqa: ANN401
        """Refuse what would nest too deep here, what stands behind an alias counted too."""
        if len(self._frames) + depth > DEPTH_LIMIT:
            self._refuse(event, f"nested more than {DEPTH_LIMIT} deep", fatal=True)

    def _check_tag(self, event: Any) -> None:  # noqa: ANN401
        if event.tag is not None:
            self._refuse(event, "tags are not read: remove this one; a text that starts with `!` needs quotes")
