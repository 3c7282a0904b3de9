"""A site whose pair is unusable keeps no other one waiting: it is put back or taken out, told, and mended at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.views import sites as viewed
from reconciler.model.ports import Scope
from reconciler.report.cells import condition
from reconciler.report.reasons import next_step
from reconciler.report.status_text import grade
from tests.journeys import test_apache as apaches
from tests.journeys import test_haproxy as proxies
from tests.journeys.stage import held

if TYPE_CHECKING:
    from tests.journeys.stage import Stage
    from tests.servers.apache import Apache
    from tests.servers.haproxy import Haproxy

ONE = Scope(sites=frozenset({"a"}))
AGAIN = proxies.AGAIN


def failures(stage: Stage, scope: Scope | None = None) -> list[tuple[str, str, str]]:
    """Apply; give the verb, the subject and the words of what failed."""
    reports = stage.apply(scope) if scope is not None else stage.apply()
    return [(verb, subject, text) for verb, subject, status, text in stage.outcomes(reports) if status == "failed"]


def shown(stage: Stage, name: str) -> dict[str, tuple[str, str]]:
    """Give the status and the reason of each condition of a site, as readers find it."""
    item = next(one for one in viewed(str(stage.state), datetime.now(UTC)) if one["metadata"]["name"] == name)
    kinds = ("Ready", "Installed", "Served")
    return {kind: (condition(item, kind)["status"], condition(item, kind)["reason"]) for kind in kinds}


@pytest.fixture(name="web")
def _web(stage: Stage, apache: Apache) -> apaches.Yard:
    """Apache serves `a`, `b` and `c`, and the key of `b` does not fit its certificate any more."""
    web = apaches.Yard(stage, apache)
    apache.configure(f"Listen 127.0.0.1:{web.port}")
    apache.start()
    web.write(*(web.site(name) for name in "abc"))
    stage.settle()
    stage.path("b", "privkey.pem").write_bytes(stage.path("c", "privkey.pem").read_bytes())
    return web


def test_a_site_outside_the_pass_is_told_shown_and_mended_by_the_next(web: apaches.Yard) -> None:
    web.write(web.site("a", **AGAIN), web.site("b"), web.site("c"))
    [(verb, subject, text)] = failures(web.stage, ONE)
    assert (verb, subject) == ("install", "site/b")
    assert text.startswith("TakenOut taken out of the configuration: ")
    assert f"{web.web.include}/b.conf" in text
    web.assert_served("a", "c")
    assert shown(web.stage, "b")["Installed"][0] == "False"
    assert shown(web.stage, "b")["Served"][0] != "True"
    assert shown(web.stage, "b")["Ready"][0] == "False"
    assert shown(web.stage, "a")["Ready"] == ("True", "Served")
    assert next_step("TakenOut", "b") == "certwright apply b"
    web.stage.settle()
    web.assert_served("a", "b", "c")
    assert shown(web.stage, "b")["Ready"] == ("True", "Served")


def test_a_suspended_site_is_told_of_as_well(web: apaches.Yard) -> None:
    web.write(web.site("a", **AGAIN), web.site("b", suspend=True), web.site("c"))
    assert [failure[:2] for failure in failures(web.stage)] == [("install", "site/b")]
    web.assert_served("a", "c")
    assert failures(web.stage) == []
    hold = held(web.stage.diff())["b", "Suspended"]
    assert hold.failed
    assert "; web serves it no more: taken out of the configuration: " in hold.message
    item = next(one for one in viewed(str(web.stage.state), datetime.now(UTC)) if one["metadata"]["name"] == "b")
    assert "serves it no more" in condition(item, "Ready")["message"]
    assert grade(item) == "failing"
    web.write(*(web.site(name) for name in "abc"))
    web.stage.settle()
    web.assert_served("a", "b", "c")


@pytest.mark.parametrize("suspend", [False, True])
def test_a_damaged_copy_is_put_back_for_the_others_sake(stage: Stage, haproxy: Haproxy, suspend: bool) -> None:  # noqa: FBT001
    proxy = proxies.Yard(stage, haproxy)
    proxy.write(*(proxy.site(name) for name in "abc"), socket=None)
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift += timedelta(minutes=10)
    stage.settle()
    good = (haproxy.include / "b.pem").read_bytes()
    (haproxy.include / "b.pem").write_text("garbage\n")
    proxy.write(proxy.site("a", **AGAIN), proxy.site("b", suspend=suspend), proxy.site("c"), socket=None)
    reports = stage.apply(ONE)
    ended = {(verb, subject, status): text for verb, subject, status, text in stage.outcomes(reports)}
    assert "put back from the store" in ended["install", "site/b", "done"]
    assert (haproxy.include / "b.pem").read_bytes() == good
    proxy.assert_served("a", "b", "c")
    stage.assert_calm()
    haproxy.stop()
    haproxy.start()
    proxy.assert_served("a", "b", "c")
