"""Copies that somebody damages while a new certificate waits for a reload: the server can be started all the same."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys import test_haproxy as proxies
from tests.journeys.stage import ca_site, copy_target, document, site
from tests.servers.postfix import postfix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.servers.haproxy import Haproxy

AGAIN = {"annotations": {"certwright/renewAt": "1"}}


WAITS = Limits(batching=True)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("how", ["deleted", "damaged", "opened"])
def test_a_damaged_copy_is_put_back_while_a_new_certificate_waits_for_its_reload(
    stage: Stage, haproxy: Haproxy, how: str, *, gone: bool
) -> None:
    """HAProxy could not be started meanwhile: it gets what it has loaded, or what is live if that is gone."""
    yard = proxies.Yard(stage, haproxy)
    reload = {"command": list(haproxy.reload_argv), "delay": "1h"}
    yard.write(yard.site("one"), yard.site("two"), socket=None, reload=reload)
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    pair, before = haproxy.include / "one.pem", stage.live("one")
    good = pair.read_bytes()
    yard.write(yard.site("one", **AGAIN), yard.site("two"), socket=None, reload=reload)
    stage.apply(limits=WAITS)
    assert stage.live("one").id != before.id
    assert pair.read_bytes() == good
    harm: dict[str, Callable[[], object]] = {
        "deleted": pair.unlink,
        "damaged": lambda: pair.write_bytes(good[:90]),
        "opened": lambda: pair.chmod(0o666),
    }
    harm[how]()
    if gone:
        shutil.rmtree(next(stage.state.glob(f"certificates/one/{before.id}")))
    told = stage.outcomes(stage.apply(limits=WAITS))
    assert [row[:3] for row in told] == [("install", "site/one", "done")]
    assert pair.read_bytes() == (good if not gone else material(stage, "one"))
    assert pair.stat().st_mode & 0o777 == 0o600
    assert haproxy.test().returncode == 0
    haproxy.stop()
    haproxy.start()
    assert yard.served("one").fingerprint == (stage.live("one") if gone else before).facts.fingerprint
    stage.settle()
    yard.assert_served("one", "two")


def material(stage: Stage, name: str) -> bytes:
    return stage.path(name, "privkey.pem").read_bytes() + stage.path(name, "fullchain.pem").read_bytes()


def test_of_several_copies_the_damaged_one_alone_is_put_back(stage: Stage) -> None:
    out = stage.root / "out"
    reload = {"command": ["/bin/true"], "delay": "1h"}
    stage.write("target.yaml", copy_target(out, reload=reload))
    stage.write("sites.yaml", ca_site("one"))
    stage.settle()
    before = {path: path.read_bytes() for path in out.iterdir()}
    stage.write("sites.yaml", ca_site("one", **AGAIN))
    stage.apply(limits=WAITS)
    (out / "one.key").write_text("garbage\n")
    told = stage.outcomes(stage.apply(limits=WAITS))
    assert [row[:3] for row in told] == [("install", "site/one", "done")]
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert stage.outcomes(stage.apply(limits=WAITS)) == []
    stage.settle()
    assert (out / "one.key").read_bytes() == stage.path("one", "privkey.pem").read_bytes()


def test_postfix_gets_back_what_its_map_was_made_of(stage: Stage) -> None:
    with postfix() as server:
        values = {
            "type": "postfix",
            "configDirectory": str(server.include),
            "test": list(server.test_argv),
            "postmap": list(server.postmap_argv),
            "reload": {"command": list(server.reload_argv), "delay": "1h"},
            "verify": {"ports": [server.smtps]},
        }
        stage.write("mail.yaml", document("Target", "mail", values))
        stage.write("sites.yaml", site("one", issuers=["ca"], targets=["mail"]))
        stage.settle()
        pair: Path = server.include / "one.pem"
        good = pair.read_bytes()
        stage.write("sites.yaml", site("one", issuers=["ca"], targets=["mail"], **AGAIN))
        stage.apply(limits=WAITS)
        pair.write_bytes(good[:90])
        stage.apply(limits=WAITS)
        assert pair.read_bytes() == good
        stage.settle()
