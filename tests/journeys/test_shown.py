"""What readers are shown of a site, where the cache is damaged or a site brings out a bug."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.report import site_json
from reconciler.store.index import Index
from tests.journeys.stage import Stage, ca_site, copy_target, document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    server = document("Server", "home", {"email": "me@example.com", "agreeToTerms": True})
    stage.write("base.yaml", server, copy_target(tmp_path / "out"))
    stage.write("sites.yaml", ca_site("a"), ca_site("b"))
    stage.settle()
    return stage


def ready(stage: Stage) -> dict[str, str]:
    """Give the reason of each site's condition Ready, as readers find it."""
    with stage.app(read_only=True) as app:
        rows = app.cache.rows("view")
    items = {name: json.loads(text) for name, (_, text) in rows.items()}
    return {name: item["status"]["conditions"][0]["reason"] for name, item in items.items()}


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', "{}"])
def test_a_row_that_cannot_be_read_is_made_anew(stage: Stage, text: str) -> None:
    with closing(sqlite3.connect(stage.state / "index.sqlite")) as index, index:
        index.execute("UPDATE rows SET payload = ? WHERE namespace IN ('view', 'view/holds')", (text,))
    stage.write("sites.yaml", *(ca_site(name, f"{name}.example.com", f"www.{name}.example.com") for name in "ab"))
    stage.settle()
    assert ready(stage) == {"a": "Installed", "b": "Installed"}


def test_a_bug_of_one_site_is_told_of_that_site_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = site_json.site_item

    def broken(desired: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        if desired.name == "a":
            raise KeyError("what we forgot")
        return real(desired, *rest, **more)

    names = {name: (f"{name}.example.com", f"www.{name}.example.com") for name in "ab"}
    stage.write("sites.yaml", *(ca_site(name, *both) for name, both in names.items()))
    with monkeypatch.context() as patch:
        patch.setattr(site_json, "site_item", broken)
        assert stage.apply()[-1].plan.changes == ()
    assert ready(stage) == {"a": "Bug", "b": "Installed"}
    assert stage.live("a").facts.hostnames == names["a"]


def test_a_site_whose_item_could_not_be_written_is_looked_at_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write("sites.yaml", ca_site("a", "a.example.com", "www.a.example.com"), ca_site("b"))
    real = Index.put

    def full(self: Index, namespace: str, *rest: Any, **more: Any) -> bool:  # noqa: ANN401
        return namespace != "view" and real(self, namespace, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Index, "put", full)
        stage.apply()
    assert "a" in stage.diff().declared.sites, "it is no quiet one; the other may be"
    for _ in range(3):
        time.sleep(0.03)  # what is younger than a tick of the kernel's clock is looked at once more
        stage.settle()
    assert stage.diff().quiet == 2
    with stage.app(read_only=True) as app:
        assert "www.a.example.com" in app.cache.rows("view")["a"][1]
