"""R40: no core dump, no file for others, and no look into our memory by another process of the same user."""

from __future__ import annotations

import subprocess
import sys


def test_harden_closes_what_the_kernel_lets_us_close() -> None:
    script = """
import os, resource, ctypes
from reconciler.cli.hardening import harden
harden()
mask = os.umask(0)
print(oct(mask), resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0o77 (0, 0) 0\n"


def test_every_verb_that_opens_the_store_is_hardened() -> None:
    script = """
import ctypes, sys
from reconciler.cli.apps import opened
from reconciler.cli.screen import Screen
from reconciler.cli.settings import Settings
settings = Settings((sys.argv[1],), sys.argv[1])
with opened(settings, Screen(settings), "diff", read_only=True):
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    argv = [sys.executable, "-I", "-c", script, "/nonexistent"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
