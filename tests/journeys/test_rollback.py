"""`rollback`: a stored certificate again, pinned until a person, the manifest or its own end says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.verbs.rollback import _go_back
from reconciler.model.changes import Reason
from tests.journeys.stage import ca_site, copy_target, held, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.stage import Stage


@pytest.fixture(name="out")
def _out(stage: Stage) -> Path:
    """A site `a` with two certificates, the second one in use."""
    out = stage.root / "out"
    stage.write("target.yaml", copy_target(out))
    stage.write("site.yaml", ca_site("a"))
    stage.settle()
    stage.write("site.yaml", ca_site("a", annotations={"certwright/renewAt": "now"}))
    stage.settle()
    return out


def go_back(stage: Stage, revision: str | None = None) -> None:
    with stage.app() as app:
        app.tree.glance()
        (site,) = app.tree.declared(["a"]).sites.values()
        _go_back(app, site, revision)


def test_the_former_certificate_is_installed_and_stays(stage: Stage, out: Path) -> None:
    second = stage.live("a")
    go_back(stage)
    first = stage.live("a")
    assert first.id != second.id
    stage.settle()
    assert (out / "a.crt").read_bytes() == stage.path("a", "fullchain.pem").read_bytes()
    stage.shift = (first.facts.not_after - first.facts.not_before) * 3 / 4  # renewal is due
    hold = held(stage.diff())["a", Reason.PINNED]
    assert not hold.failed
    assert hold.until is not None
    stage.apply()
    assert stage.live("a").id == first.id
    stage.shift = hold.until - first.facts.not_before + timedelta(minutes=1)
    stage.apply()
    assert stage.live("a").id not in (first.id, second.id)


def test_a_changed_spec_ends_it(stage: Stage, out: Path) -> None:
    go_back(stage)
    stage.settle()
    stage.write("site.yaml", ca_site("a", "a.example.com", "b.example.com"))
    assert ("issue", "site/a", Reason.HOSTNAMES_DIFFER) in told(stage.diff())
    stage.settle()
    assert stage.live("a").facts.hostnames == ("a.example.com", "b.example.com")
    assert out.exists()


def test_one_that_lacks_a_name_is_held_until_renew(stage: Stage, out: Path) -> None:
    annotations = {"certwright/renewAt": "now"}
    stage.write("site.yaml", ca_site("a", "a.example.com", "b.example.com", annotations=annotations))
    stage.settle()
    go_back(stage)
    former = stage.live("a")
    assert former.facts.hostnames == ("a.example.com",)
    stage.apply()
    assert stage.live("a").id == former.id
    assert "lacks b.example.com" in held(stage.diff())["a", Reason.PINNED].message
    with stage.app() as app:
        app.store.remember("a", lambda memory: replace(memory, renew_requested="2026-01-01T00:00:00Z"))
    stage.settle()
    assert stage.live("a").facts.hostnames == ("a.example.com", "b.example.com")
    assert out.exists()
