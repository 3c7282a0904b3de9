"""What is kept of a bug, for a report to the makers: the traceback and the versions, in a file of the user's own."""

from __future__ import annotations

import os
import platform
import secrets
import tempfile
import traceback
from typing import Final

from reconciler import __version__
from reconciler.doors.files import api as files
from reconciler.errors import Failed

_LIMIT: Final = 256 * 1024


def keep_report(error: BaseException) -> str | None:
    """Write the report (mode 0600) into the directory for temporary files; give its path, None if that failed.

    A traceback names lines of the program and no values; keys are in no message.
    """
    text = "".join(traceback.format_exception(error))
    versions = f"certwright {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    name = f"certwright-bug-{os.getpid()}-{secrets.token_hex(4)}.txt"
    try:
        with files.open_directory(os.path.realpath(tempfile.gettempdir())) as directory:
            files.create_file(directory, name, (versions + text).encode("utf-8", "replace")[:_LIMIT], mode=0o600)
            return directory.join(name)
    except (Failed, OSError):
        return None
