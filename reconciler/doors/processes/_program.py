"""Which program a name means, and whether it may be run: nobody but root and us can have changed it."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import deque
from typing import Final

from reconciler.errors import Failed
from reconciler.model.text import clean

DIRECTORIES: Final = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_EXECUTE: Final = 0o111
_MOST_LINKS: Final = 40  # as the kernel's
_NAME: Final = re.compile(r"[A-Za-z0-9_.@+-]{1,255}", re.ASCII)


def resolve_program(name: str) -> str:
    """Give the absolute path of a program; a bare name is looked up in `DIRECTORIES`, never by `PATH`.

    Raises Failed: `CommandMissing`, or `CommandRefused` for a relative path, or where others may write to the program
    or to a directory above it (it would run with our rights).
    """
    if name.startswith("/"):
        _check_trusted(name)
        return name
    if _NAME.fullmatch(name) is None or name in {".", ".."}:
        raise refused(name, "is neither an absolute path nor a bare program name; write the path out")
    for directory in DIRECTORIES:
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113  text in, text out
            _check_trusted(path)
            return path
    raise missing(name, f"is in none of {', '.join(DIRECTORIES)}; install it or write its path")


def missing(name: str, why: str) -> Failed:
    """Say that a program is not there."""
    return Failed("CommandMissing", f"{clean(name)} {why}")


def refused(name: str, why: str) -> Failed:
    """Say that a command may not or cannot run."""
    return Failed("CommandRefused", f"{clean(name)} {why}")


def _check_trusted(path: str) -> None:
    """Refuse a program that somebody other than root or us can change, by any directory or link that leads to it."""
    try:
        real = _walked(path)
        if not os.path.isfile(real):  # noqa: PTH113
            raise missing(path, "is not a program but a directory or a device; correct the path")
    except FileNotFoundError:
        raise missing(path, "does not exist; install it or correct the path") from None
    except OSError as error:
        raise refused(path, f"cannot be looked at ({os.strerror(error.errno or 0)}); check its directories") from error
    if not os.access(real, os.X_OK):
        facts = os.lstat(real)
        if not facts.st_mode & _EXECUTE:
            raise missing(path, "is not executable; run: chmod +x on it")
        seen = f"owner {facts.st_uid}, group {facts.st_gid}, mode {stat.S_IMODE(facts.st_mode):04o}"
        raise refused(path, f"may not be run by uid {os.geteuid()} ({seen}); let it, or declare another command")


def _walked(path: str) -> str:
    """Give where a path leads. Each directory and link on the way is looked at: whoever may change one may re-point it.

    Raises Failed, and OSError where there is nothing, or one link too many.
    """
    _check_owner(path, "/")
    here, ahead, links = "", deque(path.split("/")), 0
    while ahead:
        part = ahead.popleft()
        if part == "..":
            here = here.rpartition("/")[0]
        elif part not in {"", "."}:
            one = f"{here}/{part}"
            if not stat.S_ISLNK(_check_owner(path, one)):
                here = one
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, "")
            text = os.readlink(one)  # noqa: PTH115  text in, text out
            ahead.extendleft(reversed(text.split("/")))
            here = "" if text.startswith("/") else here
    return here or "/"


def _check_owner(path: str, one: str) -> int:
    """Refuse what others may change; give its mode."""
    facts = os.lstat(one)
    if facts.st_uid not in {0, os.geteuid()}:
        raise refused(path, f"is not trusted, because uid {facts.st_uid} owns {clean(one)}; give that to root")
    sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky and not stat.S_ISLNK(facts.st_mode):
        raise refused(path, f"is not trusted, because others can write to {clean(one)}; run: chmod go-w on that")
    return facts.st_mode
