"""Commands that a target declares: how each end of one is told, and how a stop ends one that is under way."""

from __future__ import annotations

import threading
import time

import pytest

from reconciler.doors.clock import SystemClock
from reconciler.execute.batches.hands import local as hands
from reconciler.execute.batches.hands.local import Grace, LocalHands


def test_a_stop_ends_what_is_under_way_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "GRACE", 0.5)
    clock = SystemClock()
    local = LocalHands(stop=Grace(clock).is_over)
    assert local.run("test", ["true"]) == (0, "")
    began = time.monotonic()
    threading.Timer(0.2, clock.stop).start()
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


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("echo bad; exit 3", 3, "bad"),
        ("kill -SEGV $$", -11, "/bin/sh was ended by SIGSEGV"),
        ("echo half; kill -KILL $$", -9, "/bin/sh was ended by SIGKILL\nhalf"),
        ("kill -40 $$", -40, "/bin/sh was ended by signal 40"),
        ("exec sleep 60", -1, "/bin/sh did not end within 1 s and was killed"),
        ("exec yes", -1, "/bin/sh printed over 16 MiB and was killed"),
    ],
)
def test_each_end_is_told_in_its_own_words(script: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for what in ("test", "install"):
        monkeypatch.setitem(hands._SECONDS, what, 1.0)
    assert LocalHands().run("test", ["/bin/sh", "-c", script]) == (code, told)
    assert LocalHands().give(["/bin/sh", "-c", script], "{}") == (code, told)
