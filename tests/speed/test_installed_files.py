"""What is installed and unchanged is neither opened nor written when a target is built anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits, Scope
from reconciler.store.files import FileStore
from tests.journeys.stage import SERVER, Stage, document, site

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.observed import Inventory

COUNT = 40
TYPES = {"nginx": {"layout": "vhost"}, "apache": {"layout": "vhost"}, "haproxy": {}}


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    """Many sites on three servers whose commands do nothing."""
    stage = Stage(tmp_path)
    targets = [
        document(
            "Target",
            name,
            {
                "type": name,
                "configDirectory": str(tmp_path / name),
                "test": ["/bin/true"],
                "reload": {"command": ["/bin/true"]},
                "verify": {"mode": "off"},
                **spec,
            },
        )
        for name, spec in TYPES.items()
    ]
    stage.write("base.yaml", document("Server", "home", SERVER), *targets)
    sites = [site(f"s{number}", issuers=["self-signed"], targets=list(TYPES)) for number in range(COUNT)]
    stage.write("sites.yaml", *sites)
    stage.settle()
    return stage


def test_a_full_look_opens_none_of_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {path.name for name in TYPES for path in (stage.root / name).iterdir()}
    assert len(installed) == 2 * COUNT + 1  # nginx and Apache have files of the same name
    opened: list[str] = []
    real = os.open

    def counted(path: object, flags: int, *arguments: int, **named: int) -> int:
        opened.append(os.fspath(path).rpartition("/")[2])  # type: ignore[call-overload]
        return real(path, flags, *arguments, **named)  # type: ignore[arg-type]

    with stage.app() as app:
        declared = app.tree.declared(app.tree.refresh())
        monkeypatch.setattr(os, "open", counted)
        world = app.observer.observe(declared, Scope(full=True))
        monkeypatch.undo()
    facts = [fact for one in world.sites.values() for on in one.on.values() for fact in on.files]
    assert len(facts) == 4 * COUNT
    assert {fact.change for fact in facts} == {"none"}
    assert installed & set(opened) == set()


def test_an_apply_writes_none_of_them(stage: Stage) -> None:
    def stamps() -> dict[Path, tuple[int, int]]:
        found = [path for name in TYPES for path in (stage.root / name).iterdir()]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    before = stamps()
    for path in stage.state.glob("index.sqlite*"):
        path.unlink()
    stage.settle()
    assert stamps() == before


def test_one_more_site_costs_one_look_at_what_all_share(stage: Stage) -> None:
    listed = stage.root / "haproxy" / "crt-list.txt"
    inode = listed.stat().st_ino
    stage.write("more.yaml", site("more", issuers=["self-signed"], targets=["haproxy"]))
    stage.settle()
    assert listed.stat().st_ino != inode
    text = listed.read_text()
    assert text.count("# site ") == COUNT + 1
    assert [line for line in text.splitlines() if line.startswith("# site")] == sorted(
        line for line in text.splitlines() if line.startswith("# site")
    )


def test_a_reload_for_one_site_reads_the_records_of_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the servers' directories is looked at before each reload: by its names and times alone."""
    read: set[str] = set()
    real = FileStore.inventory_of

    def counted(store: FileStore, target: str, name: str) -> Inventory | None:
        read.add(name)
        return real(store, target, name)

    stage.settle()
    again = {"annotations": {"certwright/renewAt": "1"}}
    stage.write("sites.yaml", *(site(f"s{n}", issuers=["self-signed"], targets=list(TYPES), **again) for n in (0,)))
    stage.write("rest.yaml", *(site(f"s{n}", issuers=["self-signed"], targets=list(TYPES)) for n in range(1, COUNT)))
    with stage.app() as app:
        report = app.engine.look(Scope(sites=frozenset({"s0"})), Limits())
        monkeypatch.setattr(FileStore, "inventory_of", counted)
        done = app.engine.done(report, app.executor(), lambda _outcome: None)
    assert {one.change.verb for one in done.outcomes} == {"issue", "install", "reload"}
    assert {one.status for one in done.outcomes} == {"done"}
    assert read == {"s0"}
