"""Commands that a target declares: how each end of one is told, and how a stop ends one that is under way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from reconciler.doors.clock import SystemClock
from reconciler.execute.batches import hands
from reconciler.execute.batches.hands import Grace, LocalHands

if TYPE_CHECKING:
    import pytest


def test_a_stop_ends_what_is_under_way_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "GRACE", 0.5)
    clock = SystemClock()
    local = LocalHands(stop=Grace(clock).is_over)
    assert local.run("test", ["true"]) == (0, "")
    threading.Timer(0.2, clock.stop).start()
    began = time.monotonic()
    code, told = local.run("reload", ["sleep", "60"])
    assert 0.6 < time.monotonic() - began < 10
    assert (code, told) == (-1, "sleep was killed, since certwright was told to stop")
    assert local.is_stopped


def test_what_ends_in_time_is_not_cut_off_by_a_stop() -> None:
    clock = SystemClock()
    clock.stop()
    local = LocalHands(stop=Grace(clock).is_over)
    assert local.run("test", ["sleep", "0.5"]) == (0, "")
    assert not local.is_stopped
