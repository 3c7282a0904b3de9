"""Commands that are printed for a person, aimed at the tree and the state that his own command named.

What `-o json` gives is a bare command: who reads that knows what it is about.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM: Final = "certwright "
_STEP: Final = re.compile(r"\b(?:[Nn]ext: |ends when ).*|`certwright [^`]*` (?:says more|tells of them)")


def aimed(text: str, given: Sequence[str]) -> str:
    """Put the flags that were `given` into every command of a text, as a shell takes them."""
    if not given or _PROGRAM not in text:
        return text
    import shlex

    from reconciler.cli.group import VERBS

    command = rf"\b{_PROGRAM}(?=(?:{'|'.join(VERBS)})\b)"
    return re.sub(command, lambda found: f"{found[0]}{shlex.join(given)} ", text)


def with_steps_aimed(text: str, given: Sequence[str]) -> str:
    """Put them into the commands of what a person does next, or of what ends a hold."""
    return _STEP.sub(lambda found: aimed(found[0], given), text) if given and _PROGRAM in text else text
