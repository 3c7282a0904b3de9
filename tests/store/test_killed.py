from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_killed_at_any_write_the_store_is_whole_and_one_pass_converges(tmp_path: Path) -> None:
    """A program of its own, for it forks, which a process with threads (of the test runner) must not."""
    # what a kill leaves does not depend on the disk, and memory is quick to sync
    base = next((path for path in (Path("/dev/shm"), tmp_path) if os.access(path, os.W_OK)), tmp_path)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        command = [sys.executable, "-m", "tests.store.killing", f"{folder}/stores"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # the opening, 20 steps of 2 to 9 calls each: fewer would mean that the calls are not seen any more
    assert int(done.stdout) > 100
