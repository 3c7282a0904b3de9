"""Commands for runtime sockets: words without syntax, and PEM files of ours as payload."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.doors import runtime_socket
from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.model.text import Foreign, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND: Final = re.compile(r"[a-z]+(?: [a-z]+)* /[A-Za-z0-9._/@+-]+(?: <<)?", re.ASCII)
_LINE: Final = re.compile(rb"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----|[A-Za-z0-9+/=]{1,76}")
_SHOWN: Final = 300


def ask(socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
    """Say one command; whether there was an answer, and the answer or why there was none, cleaned.

    The payload ends with an empty line, so neither a command nor a payload may hold one.
    """
    try:
        answer = runtime_socket.ask(socket, _message(command, payload).reveal())
    except Failed as failure:
        return False, str(failure)
    return True, " / ".join(_lines(answer))


def _message(command: str, payload: str | None) -> Secret:
    if not _COMMAND.fullmatch(command) or command.endswith("<<") != (payload is not None):
        raise Failed("SocketRefused", "that is no command for a runtime socket")
    if payload is None:
        return Secret(f"{command}\n".encode())
    lines = [line for line in files.read_file(payload).splitlines() if line]
    if not lines or not all(_LINE.fullmatch(line) for line in lines):
        raise Failed("SocketRefused", f"{payload} holds something other than PEM blocks")
    return Secret(b"\n".join((command.encode(), *lines, b"", b"")))


def _lines(answer: bytes) -> Iterator[str]:
    for line in answer.splitlines()[:20]:
        if line.strip():
            yield Foreign(line.strip()).shown(_SHOWN)
