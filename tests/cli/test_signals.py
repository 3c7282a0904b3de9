"""A signal while a verb waits for a lock."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.screen import Screen
from reconciler.cli.signals import stopping
from reconciler.errors import HeldBy
from reconciler.wiring import App, Options, build

if TYPE_CHECKING:
    from pathlib import Path


def wait_for_lock(app: App, seconds: float, number: int | None = None) -> None:
    """Claim a site, and get a signal meanwhile."""
    with stopping(app, Screen()):
        if number is not None:
            threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
        with app.store.claim("site/a", "rollback", seconds):
            pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_stopped_while_he_waits_for_a_lock_was_stopped(tmp_path: Path, number: int, code: int) -> None:
    options = Options(manifests=(), state=str(tmp_path / "state"))
    holder, waiter = build(options), build(options)
    with holder.store.claim("site/a", "apply", 1.0):
        with pytest.raises(HeldBy):
            wait_for_lock(waiter, 0.0)
        with pytest.raises(SystemExit) as left:
            wait_for_lock(waiter, 30.0, number)
    assert left.value.code == code
    holder.close()
    waiter.close()
