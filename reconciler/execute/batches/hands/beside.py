"""What a command makes of a file is made beside it and renamed into place: who reads it finds the old or the new.

A command that writes in place leaves half of it where the disk is full or the command is killed, and its readers may
mix the two. The copies bear a fixed name that begins with a dot: what a kill leaves is taken away by the next time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PREFIX: Final = ".certwright-"
_LIMIT: Final = 16 << 20


def build(
    run: Callable[[Sequence[str]], tuple[int, str]], argv: Sequence[str], source: str, poor: str
) -> tuple[int, str]:
    """Run a command, whose last word ends with the path `source`, on a copy; `SOURCE.*` is put in place if it is made.

    Not where the command says `poor`: it has left something out, whatever code it ends with. Gives the exit code, below
    0 if there is none, and what was printed, or a sentence.
    """
    directory, _, name = source.rpartition("/")
    copy = f"{_PREFIX}{name}"
    try:
        _clear(directory, copy)
        data, facts = files.read_with_stat(source, _LIMIT)
        uid, gid = (facts.uid, facts.gid) if os.geteuid() == 0 else (None, None)
        files.write_file(f"{directory}/{copy}", data, mode=facts.mode, uid=uid, gid=gid)
        code, output = run((*argv[:-1], f"{argv[-1].removesuffix(source)}{directory}/{copy}"))
        if poor in output:
            return code, output
        made = _made(directory, copy) if code == 0 else []
        for one in made:
            files.rename_file(f"{directory}/{one}", f"{name}{one.removeprefix(copy)}")
        return (code, output) if made or code else (-1, f"{argv[0]} made nothing of {source}\n{output}")
    except Failed as failure:
        return -1, str(failure)
    finally:
        with suppress(Failed):
            _clear(directory, copy)


def _made(directory: str, copy: str) -> list[str]:
    return [name for name in files.list_directory(directory) if name.startswith(f"{copy}.")]


def _clear(directory: str, copy: str) -> None:
    for name in (*_made(directory, copy), copy):
        files.remove_file(f"{directory}/{name}")
