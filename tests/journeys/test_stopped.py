"""A stop while a server's own test or reload hangs: nothing counts as a failure, and the next pass goes on at once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from reconciler.execute.batches.hands import local as hands
from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, ca_site, copy_target

if TYPE_CHECKING:
    import pytest

    from tests.journeys.stage import Stage


def test_a_test_that_hangs_is_ended_by_a_stop_and_its_batch_is_put_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "GRACE", 0.5)
    copies, slow = stage.root / "copies", stage.root / "slow"
    hangs = ["/bin/sh", "-c", f"if [ -e {slow} ]; then exec sleep 60; fi"]
    stage.write("target.yaml", copy_target(copies, test=hangs))
    stage.write("sites.yaml", ca_site("a"))
    stage.settle()
    before = (copies / "a.crt").read_bytes()
    slow.touch()
    stage.write("sites.yaml", ca_site("a", annotations={"certwright/renewAt": "now"}))
    began = time.monotonic()
    with stage.app() as app:
        threading.Timer(1.0, app.clock.stop).start()
        reports = app.engine.converge(FULL, app.executor(), Limits(), lambda _: None, lambda _: None)
    assert time.monotonic() - began < 15
    left = {(verb, told) for verb, _, status, told in stage.outcomes(reports) if status != "done"}
    told = "Stopped stopped before it was tested; what stood there was put back"
    assert left == {("install", told), ("reload", told)}
    assert (copies / "a.crt").read_bytes() == before
    assert not list(stage.state.rglob("switch.json"))
    slow.unlink()
    stage.settle()
    assert (copies / "a.crt").read_bytes() != before


def test_a_reload_that_hangs_is_ended_by_a_stop_and_made_by_the_next_pass(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "GRACE", 0.5)
    copies, slow, reloaded = stage.root / "copies", stage.root / "slow", stage.root / "reloaded"
    hangs = ["/bin/sh", "-c", f"if [ -e {slow} ]; then exec sleep 60; fi; echo >> {reloaded}"]
    stage.write("target.yaml", copy_target(copies, reload={"command": hangs}))
    stage.write("sites.yaml", ca_site("a"))
    stage.settle()
    before = reloaded.read_text()
    slow.touch()
    stage.write("sites.yaml", ca_site("a", annotations={"certwright/renewAt": "now"}))
    began = time.monotonic()
    with stage.app() as app:
        threading.Timer(1.0, app.clock.stop).start()
        reports = app.engine.converge(FULL, app.executor(), Limits(), lambda _: None, lambda _: None)
    assert time.monotonic() - began < 15
    left = {(verb, status, told) for verb, _, status, told in stage.outcomes(reports) if status != "done"}
    told = "Stopped stopped before the server took up what is in place; the next pass reloads it"
    assert left == {("reload", "skipped", told)}
    assert reloaded.read_text() == before
    slow.unlink()
    stage.apply()
    assert reloaded.read_text() == before + "\n"
    stage.assert_calm()
