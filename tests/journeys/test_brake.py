"""Too many certificates at once: held until it is allowed or undone, however often one looks meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reconciler.model.ports import Limits
from tests.journeys.stage import SERVER, ca_site, copy_target, document, held, told

if TYPE_CHECKING:
    from tests.journeys.stage import Stage

SITES = tuple(f"n{number}" for number in range(10))
OLD = 0.05  # seconds; a file that has just changed keeps its site from being passed over


def write(stage: Stage, *more: str) -> None:
    sites = (ca_site(name, f"{name}.example.com", *(f"{word}.{name}.example.com" for word in more)) for name in SITES)
    stage.write("all.yaml", document("Server", "home", SERVER), copy_target(stage.root / "out"), *sites)
    time.sleep(OLD)


def test_reissues_are_held_at_each_look_and_done_when_allowed(stage: Stage) -> None:
    write(stage)
    stage.settle()
    write(stage, "www")
    for _ in range(3):
        stage.apply()
        diff = stage.diff()
        assert (told(diff), list(held(diff))) == ([], [(None, "TooManyReissues")])
    stage.settle(Limits(reissues=len(SITES)))
    assert all(len(stage.live(name).facts.hostnames) == 2 for name in SITES)


def test_reissues_end_when_the_change_is_undone(stage: Stage) -> None:
    write(stage)
    stage.settle()
    before = {name: stage.live(name).id for name in SITES}
    write(stage, "www")
    stage.apply()
    write(stage)
    stage.settle()
    assert {name: stage.live(name).id for name in SITES} == before
