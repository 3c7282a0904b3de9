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


def read_secret(ref: SecretRef) -> Secret:
    """Give the secret without the line break at its end; Failed says where it was looked for, never what was found."""
    if ref.file is not None:
        value = files.read_file(ref.file, _LIMIT, follow=True)
        return _checked(value, f"the file {clean(ref.file)}")
    if ref.env is not None:
        return _checked(os.environ.get(ref.env, "").encode(), f"the environment variable {ref.env}")
    return _printed(ref.exec or ())


def _printed(argv: tuple[str, ...]) -> Secret:
    name = clean(argv[0]) if argv else ""
    finished = processes.run(argv, timeout=_SECONDS)
    if not finished.ok:
        raise Failed("SecretMissing", f"{name} gave no secret: it ended with code {finished.returncode}")
    return _checked(finished.output, f"the output of {name}")


def _checked(value: bytes, where: str) -> Secret:
    value = value.rstrip(b"\r\n")
    if not value:
        raise Failed("SecretMissing", f"{where} holds no secret")
    return Secret(value)
