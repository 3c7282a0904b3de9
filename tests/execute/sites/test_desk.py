from __future__ import annotations

from typing import TYPE_CHECKING, cast

from reconciler.doors import x509
from reconciler.execute.sites.desk import Making, OfflineDesk, SiteDesk
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
