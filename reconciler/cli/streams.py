"""The standard streams as they are found: one that is closed leads nowhere.

Else the first file that is opened would become standard output, and what is printed would end in it. Nothing but `os`
and `sys` is imported here.
"""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """Open each of the descriptors 0, 1 and 2 that is closed on /dev/null, and give Python the stream that it lacks."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: those before are open by now
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115  for good
            setattr(sys, name, stream)
