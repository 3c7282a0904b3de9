from __future__ import annotations

from typing import TYPE_CHECKING, cast

from reconciler.challenges.dns.means import Means
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.doors import x509
from reconciler.execute.sites.desk import Making, OfflineDesk, SiteDesk
from reconciler.model.desired import ExecProvider
from reconciler.model.observed import Undo
from reconciler.model.text import Secret
from reconciler.store.files import open_store
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.ports import Challenges


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
