"""What the process gives up at its start: files for others, a core dump, and being looked into by its own user."""

from __future__ import annotations

import os
import resource

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Set umask 077, no core dumps, and refuse /proc/PID/mem and ptrace to processes of the same user.

    For every verb that may hold a private key. Where the kernel has no such call, nothing happens.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import ctypes  # 5 ms that readers need not pay

    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "prctl"):
        library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
