"""A declared secret, fetched at the moment of use: from a file, the environment, or a command's output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reconciler.doors.files import api as files
from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from reconciler.model.text import Secret, clean

if TYPE_CHECKING:
    from reconciler.model.desired import SecretRef

_LIMIT: Final = 64 * 1024
_SECONDS: Final = 30.0
_GONE: Final = frozenset({"NoSuchFile", "NoSuchDirectory"})


def read_secret(ref: SecretRef, field: str) -> Secret:
    """Give the secret of a field without the line break at its end.

    Raises Failed, which names the field and where it was looked for, never what was found.
    """
    try:
        return _read(ref)
    except Failed as failure:
        raise Failed(failure.reason, f"`{field}`: {failure}") from None


def _read(ref: SecretRef) -> Secret:
    if ref.file is not None:
        return _checked(_bytes(ref.file), f"the file {clean(ref.file)}")
    if ref.env is not None:
        return _checked(os.environb.get(os.fsencode(ref.env), b""), f"the environment variable {ref.env}")
    return _printed(ref.exec or ())


def _bytes(path: str) -> bytes:
    try:
        return files.read_file(path, _LIMIT, follow=True)
    except Failed as failure:
        if failure.reason not in _GONE:
            raise
        # a directory above that is missing is not to be made: it is the path that is wrong, or the secret that is lost
        raise Failed("SecretMissing", f"there is no file {clean(path)}: put the secret there or correct it") from None


def _printed(argv: tuple[str, ...]) -> Secret:
    """Give what a command prints; what it says on stderr is a warning and no part of the secret, so it is not read."""
    name = clean(argv[0]) if argv else ""
    finished = processes.run(argv, timeout=_SECONDS, merged=False)
    if not finished.ok:
        raise Failed("SecretMissing", f"{name} gave no secret: it {finished.end}")
    if len(finished.output) >= processes.OUTPUT_LIMIT:
        raise Failed("SecretMissing", f"{name} gave no secret: it printed {processes.OUTPUT_LIMIT} bytes or more")
    return _checked(finished.output, f"the output of {name}")


def _checked(value: bytes, where: str) -> Secret:
    value = value.rstrip(b"\r\n")
    if not value:
        raise Failed("SecretMissing", f"{where} holds no secret")
    return Secret(value)
