"""R40: no core dump, no file for others, and no look into our memory by another process of the same user."""

from __future__ import annotations

import subprocess
import sys

import pytest


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
from reconciler.cli.shared.apps import opened
from reconciler.cli.screen import Screen
from reconciler.cli.settings import Settings
settings = Settings((sys.argv[1],), sys.argv[1])
with opened(settings, Screen(settings), "diff", read_only=True):
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    argv = [sys.executable, "-I", "-c", script, "/nonexistent"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


VICTIM = """
import ctypes, os, sys
from reconciler.cli.hardening import harden
os.setresgid(60001, 60001, 60001); os.setresuid(60001, 60001, 60001)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a process that never was root
if sys.argv[1] == "hardened":
    harden()
print(os.getpid(), flush=True)
sys.stdin.read()
"""
PEER = """
import os, sys
os.setresgid(60001, 60001, 60001); os.setresuid(60001, 60001, 60001)
for name in ("mem", "environ", "maps"):
    try:
        os.close(os.open(f"/proc/{sys.argv[1]}/{name}", os.O_RDONLY))
        print(name, "open")
    except PermissionError:
        print(name, "denied")
"""


@pytest.mark.parametrize("how", ["hardened", "plain"])
def test_another_process_of_the_same_user_cannot_look_into_ours(how: str) -> None:
    """The plain one shows that the look itself works."""
    argv = [sys.executable, "-I", "-c", VICTIM, how]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdin is not None
        assert victim.stdout is not None
        pid = victim.stdout.readline().strip()
        looking = [sys.executable, "-I", "-c", PEER, pid]
        seen = subprocess.run(looking, capture_output=True, text=True, check=True, timeout=30).stdout
        victim.stdin.close()
    word = "denied" if how == "hardened" else "open"
    assert {line.split()[1] for line in seen.splitlines()} == {word}, seen
