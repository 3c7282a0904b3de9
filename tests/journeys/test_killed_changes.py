"""Killed in the changes that concern more than one certificate: one refused and put back, a renaming, a handover.

A client asks all the time, also while the next pass puts things right, and between the two the server is restarted by
hand: every name is answered for with a certificate of its own, and nothing is issued twice.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.journeys.loops import asking, failed
from tests.journeys.stage import Stage, held
from tests.journeys.test_killed import kill_everywhere
from tests.journeys.test_killed_servers import for_nginx
from tests.journeys.test_rejected import ECDSA, RSA, STRICT
from tests.journeys.test_rejected import Yard as Refusing
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.servers.nginx import Nginx

MOVES = "moves.example.com"
SAMPLED = range(3, 400, 13)


@dataclass
class Street:
    """An nginx, clients that ask it for these names all the time, and what they may be shown."""

    stage: Stage
    web: Nginx
    port: int
    names: Sequence[str]
    usable: Callable[[str], set[str]]
    restarts: bool = True
    asked: ExitStack = field(default_factory=ExitStack)
    seen: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def ask(self) -> None:
        until(lambda: all(self._answers(name) for name in self.names), "the server runs")
        self.seen = {name: self.asked.enter_context(asking(self.port, name)) for name in self.names}

    def _answers(self, name: str) -> bool:
        with asking(self.port, name) as seen:
            pass
        return failed(seen) == []

    def judge(self) -> None:
        """End the asking: nobody went unserved, and nothing strange was served."""
        self.asked.close()
        for name, seen in self.seen.items():
            assert failed(seen) == []
            assert {what for _, what in seen} <= self.usable(name), name
        self.seen = {}

    def heard(self, stage: str) -> None:
        """Restart the server by hand before each death and after it, unless its own test warns who would do so."""
        if stage == "died":
            self.judge()
        if stage == "restored" or (self.restarts and self.web.test().returncode == 0):
            self.web.stop()
            self.web.start()
        self.ask()

    def kill(self, points: Sequence[int] | None, *, settles: bool = True) -> Iterator[int]:
        """Give each point at which the change was killed and put right since."""
        kept = str(self.web.include)
        with self.asked:
            for told in kill_everywhere(self.stage, points, None, kept, self.heard, settles=settles):
                self.judge()
                assert self.web.test().returncode == 0
                yield told["at"]

    def revisions(self, name: str) -> list[Path]:
        return list((self.stage.state / "certificates" / name).iterdir())


def stored(stage: Stage, *sites: str) -> Callable[[str], set[str]]:
    """Give what tells all certificates that these sites ever had for a name."""

    def usable(name: str) -> set[str]:
        with stage.app(read_only=True) as app:
            found = [one for of in sites for one in app.store.revisions(of)]
        return {one.facts.fingerprint for one in found if not one.meta.placeholder and name in one.facts.hostnames}

    return usable


def refused(stage: Stage, nginx: Nginx, points: Sequence[int] | None) -> int:
    yard = Refusing(stage, nginx)
    yard.begin(STRICT, one=ECDSA, two=ECDSA, three=ECDSA)
    stage.shift = timedelta()  # as in the processes that are killed
    former = stage.live("two")
    yard.write(one=ECDSA, two=RSA, three={"algorithm": "ecdsa-p384"})
    names = [f"{name}.example.com" for name in ("one", "two", "three")]
    street = Street(stage, nginx, yard.port, names, stored(stage, "one", "two", "three"))
    count = 0
    for _ in street.kill(points, settles=False):
        count += 1
        assert stage.live("two") == former, "it went back"
        assert ("two", "RejectedByServer") in held(stage.diff())
        assert stage.live("three").facts.key_type == "ecdsa-p384"
        for name in ("one", "two", "three"):
            yard.assert_served(name)
        assert [len(street.revisions(name)) for name in ("one", "two", "three")] == [1, 2, 2]
    return count


def renamed(stage: Stage, nginx: Nginx, points: Sequence[int] | None) -> int:
    yard = for_nginx(stage, nginx)
    yard.write(yard.site("old", hostnames=[MOVES]), yard.site("other"))
    stage.settle()
    before = stage.live("old")
    yard.write(yard.site("new", hostnames=[MOVES]), yard.site("other"))
    count = 0
    street = Street(stage, nginx, yard.port, [MOVES], lambda _name: {before.facts.fingerprint})
    for _ in street.kill(points):
        count += 1
        assert stage.live("new") == before
        assert len(street.revisions("new")) == 1
        assert sorted(path.name for path in nginx.include.iterdir()) == ["new.conf", "other.conf"]
        assert str((stage.state / "live" / "old").readlink()) == "../live/new"
    return count


def handed_over(stage: Stage, nginx: Nginx, points: Sequence[int] | None) -> int:
    yard = for_nginx(stage, nginx)
    yard.write(yard.site("old", hostnames=["stays.example.com", MOVES]), yard.site("other"))
    stage.settle()
    parted = (yard.site("old", hostnames=["stays.example.com"]), yard.site("new", hostnames=[MOVES]))
    yard.write(*parted, yard.site("other"))
    street = Street(stage, nginx, yard.port, ["stays.example.com", MOVES], stored(stage, "old", "new"))
    # between its own new certificate and the switch, what stands on disk shows the moved name with that one
    street.restarts = False
    count = 0
    for _ in street.kill(points):
        count += 1
        for name, has in (("old", "stays.example.com"), ("new", MOVES)):
            assert stage.live(name).facts.hostnames == (has,)
            assert yard.shown(has.partition(".")[0]) == stage.live(name).facts.fingerprint
        assert [len(street.revisions(name)) for name in ("old", "new", "other")] == [2, 1, 1]
    return count


CHANGES = (refused, renamed, handed_over)


@pytest.mark.parametrize("change", CHANGES)
def test_sampled(stage: Stage, nginx: Nginx, change: Callable[[Stage, Nginx, Sequence[int] | None], int]) -> None:
    assert change(stage, nginx, list(SAMPLED)) > 3


@pytest.mark.soak
@pytest.mark.parametrize("change", CHANGES)
def test_at_each_call(stage: Stage, nginx: Nginx, change: Callable[[Stage, Nginx, Sequence[int] | None], int]) -> None:
    assert change(stage, nginx, None) > 40
