from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from reconciler.challenges.dns.means import Means
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.doors import x509
from reconciler.execute.sites.desk import Making, OfflineDesk, SiteDesk
from reconciler.model.desired import Dns01, ExecProvider, ManualDns
from reconciler.model.observed import Undo
from reconciler.model.ports import Asked
from reconciler.model.text import Secret
from reconciler.store.files import open_store
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from reconciler.model.desired import MethodSpec
    from reconciler.model.ports import Challenges, Lease
    from reconciler.store.files import FileStore


def test_only_the_key_of_an_order_is_kept(tmp_path: Path) -> None:
    clock = SteadyClock()
    making = Making(lambda: x509.new_key("ecdsa-p256"), lambda _key: True)
    nobody = cast("Challenges", None)
    pending = tmp_path / "state" / "orders" / "a" / "pending.key"
    store = open_store(str(tmp_path / "state"), clock, "1", write=True)
    with store, store.claim("site/a", "test", 5) as lease:
        offline = OfflineDesk(store, lease, "a", nobody, making, clock, lambda _text: None)
        assert offline.key().reveal() == offline.key().reveal()
        assert not pending.exists()
        desk = SiteDesk(store, lease, "a", nobody, making, clock, lambda _text: None)
        assert desk.key().reveal() == desk.key().reveal() == pending.read_bytes()


def test_at_a_stop_what_needs_a_child_is_left_for_the_next_start_and_the_rest_taken_away(tmp_path: Path) -> None:
    clock = SteadyClock()
    clock.stop()
    making = Making(lambda: x509.new_key("ecdsa-p256"), lambda _key: True)
    record = Undo("1" * 32, "a", "txt", "one.test", "n.one.test", value="v", provider=ExecProvider(("/bin/false",)))
    with (
        open_store(str(tmp_path / "state"), clock, "1", write=True) as store,
        store.claim("site/a", "test", 5) as lease,
    ):
        for thing in (record, Undo("0" * 32, "a", "token", "", "t" * 43), Undo("2" * 32, "a", "token", "", "u" * 43)):
            store.put_undo(thing)
        ports = Ports(store, str(tmp_path / "locks"), clock)
        challenges = Solvers(store, ports, Means(clock, lambda _ref, _field: Secret(b"")))
        SiteDesk(store, lease, "a", challenges, making, clock, lambda _text: None).clean_up()
        assert store.undo() == (record,)


@dataclass(eq=False)
class Spreading:
    """A way whose answers need time: it notes since when it is told that they stand there."""

    since: list[datetime] = field(default_factory=list)

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:
        return Undo(f"id-{token}", site, "txt", "one.test", hostname, value=asked.key_authorization)

    def present(self, thing: Undo, key_authorization: str) -> Undo:  # noqa: ARG002
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:  # noqa: ARG002
        self.since.append(since)


@dataclass(frozen=True, slots=True)
class OneWay:
    """All ways to prove control are this one."""

    way: Spreading

    def solver(self, method: MethodSpec) -> Spreading:  # noqa: ARG002
        return self.way

    def clean_up(self, thing: Undo) -> None:
        del thing

    def is_gone(self, thing: Undo, methods: object) -> bool:
        raise AssertionError((thing, methods))


def test_the_time_to_spread_begins_when_the_answer_is_first_there(tmp_path: Path) -> None:
    """Whatever the age of the order: anew once it was taken away, and not while the order waits with it in place."""
    clock, way = SteadyClock(), Spreading()
    begun = clock.now()
    making = Making(lambda: x509.new_key("ecdsa-p256"), lambda _key: True)
    method = Dns01(name="m", provider=ManualDns())

    def attempt(store: FileStore, lease: Lease, after: timedelta) -> SiteDesk:
        clock.shift = after
        ways = cast("Challenges", OneWay(way))
        desk = SiteDesk(store, lease, "a", ways, making, clock, lambda _text: None)
        desk.present(method, "a.one.test", "token", Asked("token.thumbprint"))
        desk.settle()
        return desk

    for hours in (24, 48):
        for last, minutes in ((False, 0), (False, 5), (True, 10)):
            store = open_store(str(tmp_path / "state"), clock, "1", write=True)
            with store, store.claim("site/a", "test", 5) as lease:
                desk = attempt(store, lease, timedelta(hours=hours, minutes=minutes))
                if last:
                    desk.clean_up()

    assert [round((since - begun) / timedelta(hours=1)) for since in way.since] == [24, 24, 24, 48, 48, 48]
    assert len(set(way.since)) == 2
