"""A target's own commands: what running them gave, and what their output says about files of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from reconciler.model.ports import Tested
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.model.ports import Hands

_PATH: Final = re.compile(r"/[A-Za-z0-9._/@+-]+", re.ASCII)
_NEWLINE: Final = re.compile(r"\r?\n|\\x0d\\x0a|\\x0a")  # cleaned output may hold its line ends escaped
_LINES: Final = 8
_CHARACTERS: Final = 1000


def ran(hands: Hands, what: Literal["test", "reload"], argv: Sequence[str] | None) -> tuple[bool, list[str]]:
    """Run a command, if there is one; whether it exited with 0, and the lines that it printed."""
    if argv is None:
        return True, []
    return judged(argv, *hands.run(what, argv))


def judged(argv: Sequence[str], code: int, output: str) -> tuple[bool, list[str]]:
    """Give whether a command exited with 0, and the lines that it printed; of one that failed there is at least one."""
    lines = [line for line in _NEWLINE.split(output) if line.strip()]
    if code != 0 and not lines:
        lines = [f"{argv[0]}: {'it was killed' if code < 0 else f'exit code {code}'}, nothing printed"]
    return code == 0, lines


def first_lines(lines: Sequence[str]) -> str:
    """Give the first lines, cleaned: at most 8 and 1,000 characters."""
    shown = [clean(line.strip()) for line in lines[:_LINES]]
    return "\n".join(shown)[:_CHARACTERS]


def unloadable(why: Collection[str], files: tuple[str, ...]) -> Tested:
    """Give what our own check found: why, and the files of ours that name, or are, what no server can load."""
    return Tested(ok=False, output=first_lines(list(why)), blamed=files, unusable=files, checked=True)


def named(lines: Sequence[str], paths: Collection[str]) -> tuple[str, ...]:
    """Give those of `paths` that the lines mention, in the order of mention, each once."""
    wanted = frozenset(paths)
    mentioned = (path.rstrip(".") for line in lines for path in _PATH.findall(line))
    return tuple(dict.fromkeys(path for path in mentioned if path in wanted))
