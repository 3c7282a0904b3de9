"""A stop while a server's own test or reload hangs: nothing counts as a failure, and the next pass goes on at once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from reconciler.execute.batches.hands import local as hands
from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, SERVER, ca_site, copy_target, document, site
from tests.servers.handshake import handshake
from tests.servers.ports import free_port
from tests.servers.processes import until

if TYPE_CHECKING:
    import pytest

    from tests.journeys.stage import Stage
    from tests.servers.nginx import Nginx


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


def test_a_stop_right_after_a_reload_says_nothing_of_what_is_served(stage: Stage, nginx: Nginx) -> None:
    """The looks end with the first one: the server may not have read what is new by then."""
    port, asked = free_port(), stage.root / "asked"
    late = f'setsid sh -c \'sleep 1; exec "$@"\' sh "$@" > {stage.root}/late 2>&1 & touch {asked}'
    nginx.configure("")
    target = {
        "type": "nginx",
        "layout": "vhost",
        "configDirectory": str(nginx.include),
        "test": list(nginx.test_argv),
        "reload": {"command": ["/bin/sh", "-c", late, "sh", *nginx.reload_argv]},
        "verify": {"ports": [port]},
    }
    stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", target))
    stage.write("sites.yaml", site("a", issuers=["ca"], targets=["web"]))
    nginx.start()
    stage.settle()
    asked.unlink()
    stage.write("sites.yaml", site("a", issuers=["ca"], targets=["web"], annotations={"certwright/renewAt": "now"}))
    with stage.app() as app:

        def stop() -> None:
            until(asked.exists, "a reload")
            app.clock.stop()

        stopping = threading.Thread(target=stop)
        stopping.start()
        reports = app.engine.converge(FULL, app.executor(), Limits(), lambda _: None, lambda _: None)
        stopping.join()
    left = [one for one in stage.outcomes(reports) if one[2] != "done"]
    told = "Stopped stopped before all of it was seen served; the next pass looks again"
    assert left == [("reload", "target/web", "skipped", told)]
    assert stage.memory("a").failures == {}
    stage.apply()
    stage.assert_calm()
    assert handshake(port, "a.example.com").fingerprint == stage.live("a").facts.fingerprint
