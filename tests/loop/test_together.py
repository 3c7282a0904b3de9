"""A target that moves to another directory while a worker has one of its sites in hand: all move, and at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.loop.flights import EVERYTHING
from reconciler.model.changes import Verb
from tests.loop.street import Simulation, Street, site

if TYPE_CHECKING:
    from pathlib import Path


def panel(directory: Path) -> str:
    commands = 'test: ["true"], reload: {command: ["true"], delay: 0s}, verify: {mode: "off"}'
    spec = f'{{type: nginx, layout: vhost, configDirectory: "{directory}", {commands}}}'
    return f"apiVersion: certwright/v1\nkind: Target\nmetadata: {{name: panel}}\nspec: {spec}\n"


def there(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.stem in ("one", "two"))


def test_a_site_in_hand_is_waited_for_and_all_move_in_one_pass(tmp_path: Path) -> None:
    street = Street(tmp_path)
    old, new = tmp_path / "out", tmp_path / "new"
    new.mkdir()
    street.write("01-panel", panel(old))
    for name in ("one", "two"):
        street.write(name, site(name))
    simulation = Simulation(street)
    simulation.start()
    assert there(old) == ["one.conf", "two.conf"]
    before = len(simulation.done(Verb.RELOAD))
    simulation.loop._queue.begin({"two"})
    street.write("01-panel", panel(new))
    simulation.settle()
    assert (there(old), there(new)) == (["one.conf", "two.conf"], [])
    assert simulation.loop._timers._at[EVERYTHING] - simulation.clock.now() <= timedelta(seconds=5)
    simulation.loop._queue.end("two")
    simulation.settle()
    simulation.settle()
    assert (there(old), there(new)) == ([], ["one.conf", "two.conf"])
    assert len(simulation.done(Verb.RELOAD)) == before + 1
    simulation.close()
