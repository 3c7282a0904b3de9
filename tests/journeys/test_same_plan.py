"""What a plan depends on: manifests, store and files. Not on the cache, the scope of the pass, or the process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.model.ports import Limits, Scope
from tests.journeys.stage import FULL, SERVER, Stage, ca_site, copy_target, document, held, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.engine import Report

NAMES: Final = ("one", "two", "three")


def _file(stage: Stage, name: str) -> Path:
    return stage.manifests / f"{name}.yaml"


def _rival(stage: Stage, name: str) -> None:
    stage.write(f"{name}.yaml", ca_site(name, f"{name}.example.com", "shared.example.com"))


def _age(stage: Stage, _name: str) -> None:
    stage.shift += timedelta(days=61)


def _touch(stage: Stage, name: str) -> None:
    """Not where it is gone: an empty file that held a Site is what the cache alone knows of."""
    if _file(stage, name).exists():
        _file(stage, name).touch()


def _revision(stage: Stage, name: str) -> Path:
    return next((stage.state / "certificates" / name).iterdir())


DEEDS: Final[dict[str, Callable[[Stage, str], object]]] = {
    "edit": lambda stage, name: stage.write(f"{name}.yaml", ca_site(name, f"new.{name}.example.com")),
    "rival": _rival,
    "suspend": lambda stage, name: stage.write(f"{name}.yaml", ca_site(name, suspend=True)),
    "remove": lambda stage, name: _file(stage, name).unlink(missing_ok=True),
    "break": lambda stage, name: _file(stage, name).write_text("kind: [\n"),
    "drift": lambda stage, name: (stage.root / "copies" / f"{name}.crt").write_text("mine"),
    "lose": lambda stage, name: (stage.root / "copies" / f"{name}.key").unlink(missing_ok=True),
    "forget": lambda stage, name: (stage.state / "status" / f"{name}.json").unlink(missing_ok=True),
    "damage": lambda stage, name: _revision(stage, name).joinpath("cert.pem").write_text("damaged"),
    "unlink": lambda stage, name: (stage.state / "live" / name).unlink(missing_ok=True),
    "retarget": lambda stage, _: stage.write("copy.yaml", copy_target(stage.root / "elsewhere")),
    "age": _age,
    "touch": _touch,
}
DEED = st.tuples(st.sampled_from(sorted(DEEDS)), st.sampled_from(NAMES))


def settled(root: Path) -> Stage:
    """Three sites on which nothing is to do."""
    stage = Stage(root)
    stage.write("server.yaml", document("Server", "home", SERVER))
    stage.write("copy.yaml", copy_target(root / "copies"))
    for name in NAMES:
        stage.write(f"{name}.yaml", ca_site(name))
    stage.settle()
    return stage


def look(stage: Stage, scope: Scope = FULL) -> Report:
    """Plan the way the watch loop does: what is broken keeps its last good meaning."""
    with stage.app(read_only=True, lenient=True) as app:
        return app.engine.look(scope, Limits())


def shown(report: Report) -> tuple[object, ...]:
    """A plan without the times that the two passes differ in."""
    holds = [(hold.site, hold.reason, hold.message, hold.ends_when) for hold in report.plan.holds]
    return report.plan.changes, holds


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(deeds=st.lists(DEED, max_size=4))
def test_without_the_index_the_plan_is_the_same(deeds: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as root:
        stage = settled(Path(root))
        for deed, name in deeds:
            DEEDS[deed](stage, name)
        with_index = look(stage)
        for path in stage.state.glob("index.sqlite*"):
            path.unlink()
        without = look(stage)
        assert without.quiet == 0
        assert shown(with_index) == shown(without)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(deeds=st.lists(DEED, max_size=4))
@example(deeds=[("break", "one"), ("retarget", "one")])
def test_passes_over_one_site_each_say_what_a_full_pass_says(deeds: list[tuple[str, str]]) -> None:
    """Rivals too; only what is no longer declared is taken away by a full pass alone, under its guard."""
    with tempfile.TemporaryDirectory() as root:
        stage = settled(Path(root))
        for deed, name in deeds:
            DEEDS[deed](stage, name)
        full = look(stage)
        for name in full.declared.names:
            part = look(stage, Scope(sites=frozenset({name})))
            mine = [change for change in full.plan.changes if change.site == name]
            assert [change for change in part.plan.changes if change.site == name] == mine
            assert {key: hold for key, hold in held(part).items() if key[0] == name} == {
                key: hold for key, hold in held(full).items() if key[0] == name
            }
            assert all(change.site in {name, None, ""} for change in part.plan.changes)


def test_a_broken_manifest_is_told_while_another_site_alone_has_something_to_do(tmp_path: Path) -> None:
    stage = settled(tmp_path)
    for _ in range(3):
        time.sleep(0.03)  # what is younger than a tick of the kernel's clock is looked at once more
        stage.apply()
    DEEDS["break"](stage, "three")
    DEEDS["drift"](stage, "one")
    report = look(stage)
    assert report.quiet == 1
    assert [(hold.site, hold.reason) for hold in report.plan.holds] == [("three", "InvalidManifest")]


def test_a_pass_over_some_sites_takes_nothing_away(tmp_path: Path) -> None:
    stage = settled(tmp_path)
    _file(stage, "one").unlink()
    assert told(look(stage, Scope(sites=frozenset({"two", "three"})))) == []
    assert told(look(stage)) == []
    assert [hold.reason for hold in look(stage).plan.holds] == ["TooManyRemovals"]
    assert {change[1] for change in told(stage.diff(limits=Limits(removals=1)))} >= {"site/one"}
    with stage.app(read_only=True) as app:
        some = app.engine.look(Scope(sites=frozenset({"two", "three"})), Limits(removals=1))
    assert told(some) == []


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_ids_are_the_same_in_every_process(tmp_path: Path, seed: str) -> None:
    stage = settled(tmp_path)
    DEEDS["edit"](stage, "one")
    DEEDS["remove"](stage, "two")
    DEEDS["drift"](stage, "three")
    here = [(change.id, tuple(change.after)) for change in stage.diff().plan.changes]
    assert here
    roots = ["-f", str(stage.manifests), "--state", str(stage.state)]
    argv = [sys.executable, "-m", "reconciler.cli", *roots, "diff", "-o", "json"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": seed}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    there = json.loads(done.stdout)["changes"]
    assert [(change["id"], tuple(change.get("after", ()))) for change in there] == here


def test_ids_do_not_depend_on_where_the_index_came_from(tmp_path: Path) -> None:
    stage = settled(tmp_path)
    DEEDS["edit"](stage, "one")
    before = shown(look(stage))
    shutil.copy(stage.state / "index.sqlite", tmp_path / "older")
    stage.apply()
    DEEDS["drift"](stage, "two")
    fresh = shown(look(stage))
    for path in stage.state.glob("index.sqlite*"):
        path.unlink()
    shutil.copy(tmp_path / "older", stage.state / "index.sqlite")
    assert shown(look(stage)) == fresh != before
